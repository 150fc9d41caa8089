/** A two-way connection that carries whole messages, in order. A received message is `unknown` until it has been parsed. */
export interface Channel<Out> {
  /** Queues a message. After the end of the connection it is dropped: `closed` reports the end. */
  send(message: Out): void
  /** Sends what is queued now, though the sender's turn goes on. Absent if nothing is queued. */
  flush?(): void
  /** Sets the one receiver, in place of any earlier one. Messages that arrived before are kept for it. */
  onMessage(receive: (message: unknown) => void): void
  /** Resolves when either side has ended the connection and the last message has been received. Never rejects. */
  readonly closed: Promise<void>
  /** Ends the connection; messages sent before are still delivered. */
  close(): void
}
