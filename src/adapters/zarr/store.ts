/** An object opened for partial reads; on a file system, all reads see the same version of it. */
export interface PartReader extends AsyncDisposable {
  /** Returns fewer bytes if the object ends earlier. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** The last bytes. */
  readEnd(length: number): Promise<Uint8Array>
}

export interface StoreEntry {
  readonly name: string
  readonly isFolder: boolean
}

/** The gap between parts of an object that a request for both is worth, where requests take milliseconds. */
export const REQUEST_GAP_BYTES = 128 * 2 ** 10

/** Most bytes of a metadata file. */
export const MAX_METADATA_BYTES = 100_000_000

export interface GetOptions {
  /** Used if the object has exactly this many bytes. */
  readonly into?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** A larger object is an error, before memory is allocated for it. @default MAX_METADATA_BYTES */
  readonly atMost?: number
}

/** The metadata and chunks of a container. Keys are relative, `/` between names. */
export interface Store {
  readonly writable: boolean
  /** A key as users write it, for messages. */
  where(key: string): string
  /**
   * A complete object, or undefined if there is none.
   * @throws InfrastructureError `IO_ERROR`
   */
  get(key: string, options?: GetOptions): Promise<Uint8Array | undefined>
  /**
   * Lends the bytes of a complete object, unless its version is `known`; absent if a store can't tell versions apart.
   * @param use is called at once, with bytes that are gone when it has ended
   * @returns what `use` returns; undefined if there is none, 'same' if the version is still `known`
   * @throws InfrastructureError `IO_ERROR`, and what `use` throws
   */
  lend?<T>(
    key: string,
    options: Pick<GetOptions, 'atMost'> & { readonly known?: string | undefined },
    use: (bytes: Uint8Array, version: string) => T | Promise<T>,
  ): Promise<{ readonly used: T } | 'same' | undefined>
  /** Whether a call takes no time but that of the processor, so that several at once are no faster than one. @default false */
  isFast?(): boolean
  /** One read of parts of an object that are no further apart costs less than two. Absent where each part is read by itself. */
  readonly gapBytes?: number
  /** Opens an object for partial reads; undefined if there is none. */
  open(key: string, options?: Pick<GetOptions, 'signal' | 'atMost'>): Promise<PartReader | undefined>
  /**
   * Replaces an object atomically: readers see the old one or the new one.
   * @param parts its bytes, in order
   * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
   */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>
  /**
   * Removes an object, or a folder with its contents; no error if there is none.
   * @throws InfrastructureError `IO_ERROR`, and what the guard of the store throws
   */
  remove(key: string): Promise<void>
  /**
   * Makes a folder that has no object of its own yet; no error if it is there. Absent where there are no folders.
   * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
   */
  makeFolder?(key: string): Promise<void>
  /** @throws InfrastructureError `IO_ERROR` for a folder that leads out of the container; absent where none can */
  assertInside?(key: string): Promise<void>
  /**
   * Removes what removals that were killed have left beside an object: they have moved it away before. Whatever can't be removed stays.
   */
  sweep?(key: string): Promise<void>
  /**
   * Keeps all other processes from changing the groups of the container until it is disposed; absent where nothing can be locked.
   * Readers are not held up. A container that is new gets its folder, which is removed again if it is still empty then.
   * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
   */
  lockGroups?(): Promise<AsyncDisposable>
  /**
   * The entries directly below a key, by name, without temporary files; undefined if listing is impossible or nothing is there.
   */
  list(key: string): Promise<readonly StoreEntry[] | undefined>
}

/** The prefix of files that are being written or that a killed writer left behind; no reader takes them for chunks. */
export const TEMPORARY_PREFIX = '.tmp-'

export const joinKey = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/')

/** Everything but the last name of a key; '' for a single name. */
export const parentKey = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')))
