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

/** Content by path, of which some is told as it happens. */
export interface LiveTree {
  /** @see ResourceTree.open */
  open(names: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<Resource | EventFeed | undefined>
}

/** What follows a feed: a browser. */
export interface FeedClient {
  /**
   * Sends a named event; `data` has no line breaks.
   * @returns false, and sends nothing, while the client has not taken what was sent before: then nothing more may be sent until `resume`
   */
  send(event: string, data: string): boolean
  /** Nothing more comes. Resolves when it has taken all that was sent, or is gone. */
  end(): Promise<void>
}

/** One client's place in a feed. */
export interface FeedPlace {
  /** It has taken all, after something was not sent: it has to be told all anew. */
  resume(): void
  leave(): void
}

/** Server-sent events under a name, without an end. */
export interface EventFeed {
  readonly kind: 'feed'
  /** @returns undefined where there are too many clients already */
  join(client: FeedClient): FeedPlace | undefined
}
