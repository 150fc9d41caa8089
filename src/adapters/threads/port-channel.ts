import type { MessagePort, Worker } from 'node:worker_threads'
import type { Channel } from '../../ports/channel.ts'

/** What both ends of a thread's message port have in common. */
type Port = Pick<MessagePort | Worker, 'postMessage'> & {
  on(event: 'message', receive: (message: unknown) => void): unknown
}

/** The message that closes a channel: the port itself may outlive it. */
const END = 'end'

/**
 * A channel over a message port, or over that of a thread.
 * @param gone resolves when the other side has ended for another reason
 */
export function portChannel<Out>(port: Port, gone: Promise<unknown>): Channel<Out> {
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const waiting: unknown[] = []
  let receiver: ((message: unknown) => void) | undefined
  let isOpen = true
  const end = () => {
    isOpen = false
    resolve()
  }
  const deliver = () => {
    while (receiver !== undefined && waiting.length > 0) receiver(waiting.shift())
  }
  port.on('message', (message) => {
    if (!isOpen) return
    if (message === END) end()
    else {
      waiting.push(message)
      deliver()
    }
  })
  void gone.then(end)
  return {
    send: (message) => {
      if (isOpen) port.postMessage(message)
    },
    onMessage: (receive) => {
      receiver = receive
      if (waiting.length > 0) queueMicrotask(deliver)
    },
    closed,
    close: () => {
      if (!isOpen) return
      port.postMessage(END)
      end()
    },
  }
}
