import { isDeepStrictEqual } from 'node:util'
import { provenanceIn } from '../../../core/progress/array-provenance.ts'
import type { Store } from '../store.ts'
import type { JsonObject } from './exact-json.ts'
import { parseJsonObject } from './metadata.ts'

/** By what an array is told from one that has taken its place. */
export interface ArrayIdentity {
  /** An array may become larger while it is read. */
  readonly shape: readonly number[]
  /** All that says which files its chunks are, and what is in them. Compared by value. */
  readonly layout: unknown
  /** The id of the record of the run that wrote it; undefined if it does not say so. */
  readonly record: string | undefined
}

/** The files that make an array what it is. */
export interface MetadataFiles {
  /** Of the file without which there is no array. */
  readonly key: string
  /** Of the file with its attributes, if that is another one. */
  readonly attributesKey?: string
  /** The array as it was opened. */
  readonly opened: ArrayIdentity
  /**
   * @param json the content of the file
   * @param attributes the content of the other file
   * @throws ConfigError if it is that of no array
   */
  readonly identify: (json: JsonObject, attributes: JsonObject) => ArrayIdentity
}

/** The id of the record of the run that an array's attributes name. */
export const recordIn = (attributes: JsonObject): string | undefined => provenanceIn(attributes)?.record

/**
 * Whether the array that is there now is the one that was opened.
 * @returns undefined if there is none
 * @throws ConfigError `INVALID_METADATA` for what is no JSON object; InfrastructureError `IO_ERROR`
 */
export async function isStillThere(store: Store, files: MetadataFiles): Promise<boolean | undefined> {
  const { key, attributesKey, opened, identify } = files
  // Attributes matter only if they named a run.
  const others = opened.record === undefined ? undefined : attributesKey
  const [bytes, other] = await Promise.all([key, others].map((name) => name && store.get(name)))
  if (bytes === undefined || bytes === '') return undefined
  const json = parseJsonObject(bytes, store.where(key))
  const attributes = other === undefined || other === '' ? {} : parseJsonObject(other, store.where(others as string))
  try {
    return isSameArray(opened, identify(json, attributes))
  } catch {
    // It is JSON, but not the metadata of an array, or of one that could have been opened.
    return false
  }
}

const isSameArray = (opened: ArrayIdentity, found: ArrayIdentity): boolean =>
  opened.shape.length === found.shape.length &&
  opened.shape.every((length, axis) => length <= (found.shape[axis] as number)) &&
  isDeepStrictEqual(opened.layout, found.layout) &&
  // A run says in its outputs only after it has made them that it did.
  (opened.record === undefined || opened.record === found.record)
