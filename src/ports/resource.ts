/** The content of one path of a {@link ResourceTree}, opened for one response. */
export interface Resource extends AsyncDisposable {
  /** @example 'application/json' */
  readonly contentType: string
  readonly size: number
  /** Identifies this content, without quotes. */
  readonly version: string
  /** The bytes from `start` up to `end`, in order; `0 ≤ start ≤ end ≤ size`. */
  read(start: number, end: number): AsyncIterable<Uint8Array>
}

/** Read-only content, addressed by path. */
export interface ResourceTree {
  /**
   * @param names the parts of the path; never empty, `.` or `..`, and without `/`, `\` and control characters
   * @returns undefined if there is nothing, or nothing that may be read
   */
  open(names: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<Resource | undefined>
}

/** Content by path, some of it as live events. */
export interface LiveTree {
  /** @see ResourceTree.open */
  open(names: readonly string[], options?: { readonly signal?: AbortSignal }): Promise<Resource | EventFeed | undefined>
}

/** A client of a feed: a browser. */
export interface FeedClient {
  /**
   * Sends a named event; `data` has no line breaks.
   * @returns false, and sends nothing, while the client has not read earlier events: then nothing may be sent until `resume`
   */
  send(event: string, data: string): boolean
  /** Ends the stream. Resolves when the client has read everything or is gone. */
  end(): Promise<void>
}

/** One client's place in a feed. */
export interface FeedPlace {
  /** After a dropped event, the client has now read everything: send it the complete state again. */
  resume(): void
  leave(): void
}

/** Server-sent events under a path, without an end. */
export interface EventFeed {
  readonly kind: 'feed'
  /** @returns undefined if there are too many clients */
  join(client: FeedClient): FeedPlace | undefined
}

/** What clients may have a server do, addressed by path. */
export interface ActionTree {
  /**
   * @param names as for {@link ResourceTree.open}
   * @param body JSON of the client, not checked yet
   * @returns undefined if there is no such action
   */
  act(names: readonly string[], body: unknown): Promise<ActionAnswer | undefined>
}

/** The answer to an action: a status of HTTP, and JSON: `{ text }` if it was done, otherwise `{ error }`. */
export interface ActionAnswer {
  readonly status: number
  readonly body: { readonly text: string } | { readonly error: string }
}
