import { ChangedObject, MissingObject } from '../../files/object-errors.ts'
import type { ObjectVersion, RangeAnswer } from '../../http/http-request.ts'
import type { PartReader } from '../store.ts'

/** Requests a range of an object. @param of the version that it must be of, if one is known @throws ChangedObject */
type GetPart = (range: string, of: ObjectVersion | undefined) => Promise<RangeAnswer | undefined>

/** @returns undefined for an object that its first read finds missing */
export async function unlessMissing<T>(firstRead: Promise<T>): Promise<T | undefined> {
  try {
    return await firstRead
  } catch (error) {
    if (error instanceof MissingObject) return undefined
    throw error
  }
}

/** Reads parts of an object, once more from the start if it was replaced meanwhile: its index and its chunks belong together. */
export async function readOneVersion(
  open: () => Promise<PartReader | undefined>,
  use: (reader: PartReader | undefined) => Promise<void>,
): Promise<void> {
  const useOnce = async () => {
    await using reader = await open()
    await use(reader)
  }
  try {
    await useOnce()
  } catch (error) {
    if (!(error instanceof ChangedObject)) throw error
    await useOnce()
  }
}

/**
 * Reads parts of one version of an object. A server that knows no ranges sends the whole object, which is kept: one object is read
 * once, not once for each part.
 */
export function partReader(get: GetPart, where: string): PartReader {
  let whole: Uint8Array | undefined
  let version: ObjectVersion | undefined
  const part = async (range: string, cut: (whole: Uint8Array) => Uint8Array): Promise<Uint8Array> => {
    if (whole !== undefined) return cut(whole)
    const answer = await get(range, version)
    if (answer === undefined) throw new MissingObject(where)
    // Not all servers know conditions.
    if (version !== undefined && answer.version !== undefined && answer.version.value !== version.value) {
      throw new ChangedObject(where)
    }
    version ??= answer.version
    if (answer.isPart) return answer.body
    whole = answer.body
    return cut(whole)
  }
  return {
    read: async (offset, length) =>
      length === 0
        ? new Uint8Array(0)
        : part(`bytes=${offset}-${offset + length - 1}`, (bytes) => bytes.subarray(offset, offset + length)),
    readEnd: (length) => part(`bytes=-${length}`, (bytes) => bytes.subarray(Math.max(0, bytes.length - length))),
    async [Symbol.asyncDispose]() {},
  }
}
