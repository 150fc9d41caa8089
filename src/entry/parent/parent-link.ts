import type { Readable } from 'node:stream'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { LineSplitter } from '../../core/protocol/lines.ts'
import type { EngineMessage } from './parent-messages.ts'

/** Lines of JSON to the parent and from it, over standard output and input. */
export interface ParentLink {
  send(message: EngineMessage): void
  /** The next message of the parent, the same until it is taken; the end is the end of the parent. @throws ConfigError `INVALID_CONFIG` */
  next(): Promise<IteratorResult<unknown, void>>
  take(): void
}

export function stdioLink(): ParentLink {
  // The parent has gone: the end of its input says so, too.
  process.stdout.on('error', () => {})
  const messages = messagesOf(process.stdin)
  let next: Promise<IteratorResult<unknown, void>> | undefined
  return {
    send: (message) => void process.stdout.write(`${JSON.stringify(message)}\n`),
    next: () => (next ??= messages.next()),
    take() {
      next = undefined
    },
  }
}

/**
 * The messages of a parent, as it writes them. Only a line feed ends a line: a text in JSON may contain other characters that end lines elsewhere,
 * such as U+2028.
 * @throws ConfigError `INVALID_CONFIG` for a line that is no message, or too long
 */
export async function* messagesOf(input: Readable): AsyncGenerator<unknown, void, undefined> {
  const lines = new LineSplitter(MAX_LINE_BYTES)
  const decoder = new TextDecoder()
  for await (const chunk of withEnd(input)) {
    for (const line of splitInto(lines, chunk)) yield parseLine(decoder.decode(line))
  }
}

/** What was sent without a line feed at its end is a line, too. */
async function* withEnd(input: Readable): AsyncGenerator<Uint8Array, void, undefined> {
  let last: number | undefined
  for await (const chunk of input as AsyncIterable<Uint8Array>) {
    last = chunk.at(-1)
    yield chunk
  }
  if (last !== undefined && last !== LINE_FEED) yield Uint8Array.of(LINE_FEED)
}

/** @throws ConfigError `INVALID_CONFIG` for a line that is too long */
function* splitInto(lines: LineSplitter, chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
  try {
    yield* lines.take(chunk)
  } catch (error) {
    if (error instanceof InfrastructureError) throw new ConfigError('INVALID_CONFIG', `The engine: ${error.message}`)
    throw error
  }
}

const LINE_FEED = 0x0a

/** Enough for the bitmap of a billion blocks. */
const MAX_LINE_BYTES = 256 * 2 ** 20

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
