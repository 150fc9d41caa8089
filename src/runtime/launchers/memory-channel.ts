import type { Channel } from '../../ports/channel.ts'

/** The two ends of a channel in memory. A message is delivered after the sender's turn. */
export function channelPair<A, B>(): [Channel<A>, Channel<B>] {
  const closed = Promise.withResolvers<void>()
  let isOpen = true
  const first = new Inbox()
  const second = new Inbox()
  const close = () => {
    isOpen = false
    // Closes after the delivery of everything that was sent before.
    queueMicrotask(() => queueMicrotask(closed.resolve))
  }
  const end = (incoming: Inbox, outgoing: Inbox): Channel<unknown> => ({
    send: (message) => {
      if (isOpen) outgoing.deliver(message)
    },
    onMessage: (receive) => incoming.onMessage(receive),
    closed: closed.promise,
    close,
  })
  return [end(first, second) as Channel<A>, end(second, first) as Channel<B>]
}

/** Keeps messages until there is a receiver for them. */
class Inbox {
  readonly #waiting: unknown[] = []
  #receiver: ((message: unknown) => void) | undefined

  deliver(message: unknown): void {
    this.#waiting.push(message)
    queueMicrotask(() => this.#drain())
  }

  onMessage(receive: (message: unknown) => void): void {
    this.#receiver = receive
    queueMicrotask(() => this.#drain())
  }

  #drain(): void {
    if (this.#receiver === undefined) return
    for (const message of this.#waiting.splice(0)) this.#receiver(message)
  }
}
