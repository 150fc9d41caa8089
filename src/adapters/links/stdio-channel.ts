import { Console } from 'node:console'
import { Duplex } from 'node:stream'
import { MAX_LINE_BYTES, type WorkerMessage } from '../../core/protocol/messages.ts'
import type { Channel } from '../../ports/channel.ts'
import { LineChannel } from './line-channel.ts'

/**
 * The link of a program to the worker that started it: standard input and output. From now on `console` writes to
 * standard error: what else came out between the messages would be none.
 */
export function stdioChannel(): Channel<WorkerMessage> {
  const { stdin, stdout, stderr } = process
  globalThis.console = new Console(stderr)
  const link = Duplex.from({ readable: stdin, writable: stdout })
  // The other side may never end its own; after the goodbye nothing is read any more.
  link.once('finish', () => stdin.destroy())
  return new LineChannel(link, { maxLineBytes: MAX_LINE_BYTES })
}
