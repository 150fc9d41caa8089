import { createInterface } from 'node:readline'
import type { EngineMessage } from './parent-messages.ts'

/** Lines of JSON to the parent and from it, over standard output and input. */
export interface ParentLink {
  send(message: EngineMessage): void
  /** The next message of the parent, the same until it is taken; the end is the end of the parent. */
  next(): Promise<IteratorResult<unknown, void>>
  take(): void
}

export function stdioLink(): ParentLink {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  // The parent has gone: the end of its input says so, too.
  process.stdout.on('error', () => {})
  const messages = parsed(lines)
  let next: Promise<IteratorResult<unknown, void>> | undefined
  return {
    send: (message) => void process.stdout.write(`${JSON.stringify(message)}\n`),
    next: () => (next ??= messages.next()),
    take() {
      next = undefined
    },
  }
}

async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<unknown, void, undefined> {
  for await (const line of lines) yield JSON.parse(line)
}
