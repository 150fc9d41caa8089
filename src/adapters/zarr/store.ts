/** An object that is open for reads of parts; on a file system all of them see the same version of it. */
export interface PartReader extends AsyncDisposable {
  /** Fewer bytes come back where the object ends before. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** The last bytes. */
  readEnd(length: number): Promise<Uint8Array>
}

export interface StoreEntry {
  readonly name: string
  readonly isFolder: boolean
}

/** Where the metadata and chunks of a container lie. Keys are relative, `/` between names. */
export interface Store {
  readonly writable: boolean
  /** A key as people would write it, for messages. */
  where(key: string): string
  /**
   * A whole object, or undefined where there is none.
   * @param into used where the object has just this many bytes
   * @throws InfrastructureError `IO_ERROR`
   */
  get(key: string, into?: Uint8Array, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * A whole object and what names this content of it, unless that is `known`; absent where a store can't tell versions.
   * @returns undefined where there is none, 'same' where it is still `known`
   * @throws InfrastructureError `IO_ERROR`
   */
  getUnless?(
    key: string,
    known: string | undefined,
  ): Promise<{ bytes: Uint8Array; version: string } | 'same' | undefined>
  /** An object for reads of parts, or undefined where there is none. */
  open(key: string, signal?: AbortSignal): Promise<PartReader | undefined>
  /**
   * Replaces an object as a whole: readers see the old one or the new one.
   * @param parts its bytes, in order
   * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
   */
  put(key: string, parts: readonly Uint8Array[]): Promise<void>
  /** Removes an object or a folder with all in it; no error where there is none. */
  remove(key: string): Promise<void>
  /**
   * Keeps all other processes from changing the groups of the container until it is disposed; absent where nothing can be locked.
   * Readers are not held up. A container that is new gets its folder, which is removed again if it is still empty then.
   * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
   */
  lockGroups?(): Promise<AsyncDisposable>
  /** What lies directly below a key, by name, without temporary files; undefined where listing is impossible or nothing is there. */
  list(key: string): Promise<readonly StoreEntry[] | undefined>
}

/** Files of writes under way, and of writers that were killed; no reader takes them for a chunk. */
export const TEMPORARY_PREFIX = '.tmp-'

export const joinKey = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('/')

/** Everything but the last name of a key; '' for a single name. */
export const parentKey = (key: string): string => key.slice(0, Math.max(0, key.lastIndexOf('/')))
