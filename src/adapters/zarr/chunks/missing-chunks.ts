import { AsyncLocalStorage } from 'node:async_hooks'
import { InfrastructureError } from '../../../core/errors.ts'
import { MissingObject } from '../../files/object-errors.ts'
import { isStillThere, type MetadataFiles } from '../metadata/array-identity.ts'
import type { PartReader, Store } from '../store.ts'

/**
 * Decides whether chunks that a server says are missing really are. An expired address looks the same: everything is forbidden, and
 * every chunk would be the fill value. So chunks count as missing only if the array's metadata is read again *after* the last of the
 * answers that said so, and is still that of the array that was opened: the chunks of another one have other places. One check serves all reads that wait for it. The address may have been valid again by then, so the chunks are
 * asked for once more after it.
 */
export class MissingChunks {
  /** The array's chunks, counting those that are missing. */
  readonly store: Store
  readonly #origin: Store
  readonly #metadata: MetadataFiles
  #missing = 0
  #confirmed = 0
  #check: Promise<void> | undefined
  /** The read in which a chunk is asked for. */
  readonly #reading = new AsyncLocalStorage<{ isMissing: boolean }>()

  constructor(store: Store, metadata: MetadataFiles) {
    this.#origin = store
    this.#metadata = metadata
    this.store = {
      ...store,
      get: async (key, options) => this.#count(await store.get(key, options)),
      open: async (key, options) => {
        const reader = this.#count(await store.open(key, options))
        return reader && this.#counting(reader)
      },
    }
  }

  /** @param read of one chunk or shard @returns whether it is missing, as far as the server says */
  async watch(read: () => Promise<void>): Promise<boolean> {
    const found = { isMissing: false }
    await this.#reading.run(found, read)
    return found.isMissing
  }

  /**
   * Returns once every chunk found missing so far is known to be.
   * @throws InfrastructureError `IO_ERROR` if the array is not there any more, or another one is
   */
  async confirm(signal?: AbortSignal): Promise<void> {
    const wanted = this.#missing
    while (this.#confirmed < wanted) {
      this.#check ??= this.#readAgain().finally(() => {
        this.#check = undefined
      })
      await this.#check
      signal?.throwIfAborted()
    }
  }

  #count<T>(found: T | undefined): T | undefined {
    if (found === undefined) this.#note()
    return found
  }

  #note(): void {
    this.#missing++
    const reading = this.#reading.getStore()
    if (reading !== undefined) reading.isMissing = true
  }

  #counting(reader: PartReader): PartReader {
    const counted = async (part: Promise<Uint8Array>) => {
      try {
        return await part
      } catch (error) {
        if (error instanceof MissingObject) this.#note()
        throw error
      }
    }
    return {
      read: (offset, length) => counted(reader.read(offset, length)),
      readEnd: (length) => counted(reader.readEnd(length)),
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    }
  }

  /** Why a read failed: the error, or another one if the array was replaced. */
  explained(error: unknown): Promise<unknown> {
    return explained(error, this.#origin, this.#metadata)
  }

  async #readAgain(): Promise<void> {
    const covered = this.#missing
    const isThere = await isStillThere(this.#origin, this.#metadata)
    const file = this.#origin.where(this.#metadata.key)
    if (isThere === false) throw replaced(file)
    if (isThere === undefined) {
      throw new InfrastructureError(
        'IO_ERROR',
        `Chunks are missing, and so is ${file} by now, so what is missing is unknown; the address may have expired: run again with a new one.`,
      )
    }
    this.#confirmed = covered
  }
}

/** A chunk of another array looks corrupt. */
async function explained(error: unknown, store: Store, metadata: MetadataFiles): Promise<unknown> {
  if (!(error instanceof InfrastructureError) || error.code !== 'CORRUPT_DATA') return error
  const isThere = await isStillThere(store, metadata).catch(() => undefined)
  return isThere === false ? replaced(store.where(metadata.key), error) : error
}

const replaced = (file: string, cause?: unknown): InfrastructureError =>
  new InfrastructureError(
    'IO_ERROR',
    `${file} was replaced while its array was being read: it is not that of the array that was opened, so its chunks may be those of another one; wait until the array is complete and run again.`,
    { cause },
  )

/**
 * Notices that chunks of a folder, or of a bucket that is written, are missing because their array is: it was moved away, removed or replaced
 * while it was read. Nothing there expires, so a chunk is missing as soon as it is not found, and one look at the metadata after it is enough.
 * In a folder, the metadata is looked at after each read: chunks that are there may be those of another array, too.
 */
export class MissingArray {
  /** The array's chunks, noting that some are missing. */
  readonly store: Store
  readonly #origin: Store
  readonly #metadata: MetadataFiles
  #missing = 0
  /** Of the metadata that were those of the array, if the store can tell versions apart. */
  #version: string | undefined

  constructor(store: Store, metadata: MetadataFiles) {
    this.#origin = store
    this.#metadata = metadata
    const { lend } = store
    const count = <T>(found: T | undefined): T | undefined => {
      if (found === undefined) this.#missing++
      return found
    }
    this.store = {
      ...store,
      get: async (key, options) => count(await store.get(key, options)),
      open: async (key, options) => count(await store.open(key, options)),
      ...(lend === undefined ? {} : { lend: async (key, options, use) => count(await lend(key, options, use)) }),
    }
  }

  /**
   * Reads, and makes sure that what was missing was missing in an array that is there, and what was there is of that array.
   * @throws InfrastructureError `IO_ERROR` if it is not; what `read` throws
   */
  async during(read: () => Promise<void>): Promise<void> {
    const before = this.#missing
    try {
      await read()
    } catch (error) {
      throw await explained(error, this.#origin, this.#metadata)
    }
    const wasMissing = this.#missing !== before
    const version = await this.#changedVersion()
    if (version === undefined && !wasMissing) return
    const isThere = await isStillThere(this.#origin, this.#metadata)
    if (isThere) this.#version = version ?? this.#version
    // A new array's metadata is written before its chunks: while there is none, the chunks that were read are those of the old array.
    if (isThere || (isThere === undefined && !wasMissing)) return
    const file = this.#origin.where(this.#metadata.key)
    if (isThere === false) throw replaced(file)
    throw new InfrastructureError(
      'IO_ERROR',
      `${file} was removed or moved while its array was being read, so chunks are missing; put it back and run again.`,
    )
  }

  /** The version of the metadata; undefined if it is the known one, there is none, or versions can't be told apart. */
  async #changedVersion(): Promise<string | undefined> {
    const { makeFolder, lend } = this.#origin
    // Where there are no folders, each look is a request.
    if (makeFolder === undefined) return undefined
    const found = await lend?.(this.#metadata.key, { known: this.#version }, (_, version) => version)
    return typeof found === 'object' ? found.used : undefined
  }
}
