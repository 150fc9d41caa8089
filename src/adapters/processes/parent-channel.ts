import type { WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'

/** The link of a forked worker to the process that started it; undefined in a process that nobody forked. */
export function parentChannel(): Channel<WorkerMessage> | undefined {
  if (process.send === undefined) return undefined
  let sending: Promise<void> = Promise.resolve()
  const closed = new Promise<void>((resolve) => void process.once('disconnect', () => resolve()))
  return {
    send: (message) => {
      if (!process.connected) return
      const { promise, resolve } = Promise.withResolvers<void>()
      sending = promise
      process.send?.(message, undefined, undefined, () => resolve())
    },
    onMessage: (receive) => void process.on('message', receive),
    closed,
    close: () => {
      // What was sent last must be out before the link goes.
      void sending.then(() => {
        if (process.connected) process.disconnect()
      })
    },
  }
}
