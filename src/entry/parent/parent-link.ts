import { createInterface } from 'node:readline'
import { ConfigError } from '../../core/errors.ts'
import type { EngineMessage } from './parent-messages.ts'

/** Lines of JSON to the parent and from it, over standard output and input. */
export interface ParentLink {
  send(message: EngineMessage): void
  /** The next message of the parent, the same until it is taken; the end is the end of the parent. @throws ConfigError `INVALID_CONFIG` */
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

/** @throws ConfigError `INVALID_CONFIG` for a line that is no message */
async function* parsed(lines: AsyncIterable<string>): AsyncGenerator<unknown, void, undefined> {
  for await (const line of lines) yield parseLine(line)
}

function parseLine(line: string): unknown {
  let message: unknown
  try {
    message = JSON.parse(line)
  } catch {
    // The error below says what was expected.
  }
  if (typeof message === 'object' && message !== null && !Array.isArray(message)) return message
  const start = line.length > SHOWN_LENGTH ? `${line.slice(0, SHOWN_LENGTH)}…` : line
  throw new ConfigError(
    'INVALID_CONFIG',
    `The engine got ${JSON.stringify(start)} on its standard input: expected one JSON object per line, such as {"type":"stop","now":false}; docs/ENGINE.md lists the messages.`,
  )
}

/** Characters of a line that an error shows. */
const SHOWN_LENGTH = 80
