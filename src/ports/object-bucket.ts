export interface GetObject {
  /** `bytes=0-99` or `bytes=-16`. @default all of it */
  readonly range?: string
  /** The only version that is wanted. */
  readonly of?: string | undefined
  /** The version that is not wanted again. */
  readonly unless?: string | undefined
  readonly atMost: number
  readonly into?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FoundObject {
  readonly body: Uint8Array
  /** What tells versions of it apart: its entity tag, or its generation. */
  readonly version?: string
  /** Bytes of all of it; undefined if the service doesn't say. */
  readonly total: number | undefined
  /** When it was written, and now, by the clock of the service; NaN if it doesn't say. */
  readonly writtenMs: number
  readonly nowMs: number
}

export interface PutObject {
  /** Only if there is none, or only in place of this version. @default in any case */
  readonly only?: 'new' | { readonly of: string }
  /** Called before each attempt; if it throws, nothing is written. */
  readonly before?: (() => Promise<void>) | undefined
}

export interface ListedKeys {
  /** Keys of objects. */
  readonly objects: readonly string[]
  /** Keys that others begin with, with their last `/`. */
  readonly folders: readonly string[]
}

/** The objects of one bucket of an object store. */
export interface ObjectBucket {
  /**
   * An object, or a part of it. A part that begins beyond its end is empty.
   * @returns 'missing', 'changed' if it is not the wanted version, 'same' if it is still the one that is not wanted again
   * @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR`; ConfigError `NO_SUCH_FILE` for a bucket that does not exist
   */
  get(key: string, options: GetObject): Promise<FoundObject | 'missing' | 'changed' | 'same'>
  /**
   * Writes an object, all of it or nothing.
   * @param parts its bytes, in order
   * @returns its version; 'refused' if the condition does not hold
   * @throws InfrastructureError `UNAUTHORIZED`, `IO_ERROR`; what `before` throws
   */
  put(
    key: string,
    parts: readonly Uint8Array[],
    options?: PutObject,
  ): Promise<{ readonly version?: string } | 'refused'>
  /** Removes an object; no error if there is none. @throws what `before` throws */
  remove(key: string, before?: () => Promise<void>): Promise<void>
  /** Removes many objects. @throws InfrastructureError `IO_ERROR` for the first that can't be removed */
  removeAll(keys: readonly string[]): Promise<void>
  /**
   * Keys with a prefix, in their order.
   * @param options `isDeep`: all of them; otherwise those up to the next `/`. `limit`: when to stop. @default at the end
   */
  list(prefix: string, options?: { readonly isDeep?: boolean; readonly limit?: number }): Promise<ListedKeys>
}
