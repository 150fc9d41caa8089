import { Console } from 'node:console'
import { Duplex } from 'node:stream'
import { MAX_LINE_BYTES, type WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import { LineChannel } from './line-channel.ts'

/**
 * The channel of a program to the worker that started it, over standard input and output. From now on `console` writes to
 * standard error, since standard output is for messages only.
 */
export function stdioChannel(): Channel<WorkerMessage> {
  const { stdin, stdout, stderr } = process
  globalThis.console = new Console(stderr)
  const stream = Duplex.from({ readable: stdin, writable: stdout })
  // The worker may never close its end, and nothing is read after the goodbye.
  stream.once('finish', () => stdin.destroy())
  return new LineChannel(stream, { maxLineBytes: MAX_LINE_BYTES })
}
