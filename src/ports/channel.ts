/** A two-way link that carries whole messages, in order. What comes in is `unknown` until it was parsed. */
export interface Channel<Out> {
  /** Queues a message; after the end it is dropped, since the other side's end is reported by `closed`. */
  send(message: Out): void
  /** The one receiver, the last one set; messages that came before it was set are kept for it. */
  onMessage(receive: (message: unknown) => void): void
  /** Resolves when the link has ended, from either side, after the last message was received. Never rejects. */
  readonly closed: Promise<void>
  /** Ends the link; what was sent before is still delivered. */
  close(): void
}
