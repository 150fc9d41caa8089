/** What lies under one name of a {@link ResourceTree}, opened for one answer. */
export interface Resource extends AsyncDisposable {
  /** @example 'application/json' */
  readonly contentType: string
  readonly size: number
  /** Names this content of it, without quotes. */
  readonly version: string
  /** The bytes from `start` up to `end`, in order; `0 ≤ start ≤ end ≤ size`. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
}

/** Read-only content by path. */
export interface ResourceTree {
  /**
   * @param names the parts of the path; never empty, `.` or `..`, and without `/`, `\` and control characters
   * @returns undefined where there is nothing, or nothing that may be read
   */
  open(names: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<Resource | undefined>
}
