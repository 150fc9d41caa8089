import { InfrastructureError } from '../errors.ts'
import { MAX_DEPTH } from './messages.ts'

const LINE_FEED = 0x0a
const NOTHING = new Uint8Array(0)
/** The first buffer for a line that arrives in pieces, in bytes. */
const FIRST_CAPACITY = 4096
/** A shorter line can't do harm by its depth. */
const DEPTH_UNCHECKED = 16_384

/**
 * Cuts a stream of bytes into lines, however the stream is split into chunks. A line that is too long is refused before it
 * is complete, so no sender can make the receiver buffer more than twice the limit.
 */
export class LineSplitter {
  /** The longest line that is accepted, in bytes, without its line feed. May change between two lines. */
  maxBytes: number
  /** The start of a line whose end has not arrived. The buffer doubles, so that many small pieces cost no more than one large one. */
  #buffer = NOTHING
  #buffered = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /**
   * Takes the next bytes of the stream and yields each line that they complete, without its line feed. A line is valid until
   * the next one is requested. Leaving the loop early discards the rest of the chunk.
   * @throws InfrastructureError `PROTOCOL_ERROR` for a line longer than `maxBytes`; the stream can't be read after that
   */
  *take(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#assertFits(this.#buffered + end - start)
      const piece = chunk.subarray(start, end)
      start = end + 1
      yield this.#buffered === 0 ? piece : this.#complete(piece)
    }
    if (start === chunk.length) return
    this.#assertFits(this.#buffered + chunk.length - start)
    this.#append(chunk.subarray(start))
  }

  /** Forgets a line that is not complete. */
  clear(): void {
    this.#buffer = NOTHING
    this.#buffered = 0
  }

  #complete(piece: Uint8Array): Uint8Array {
    this.#append(piece)
    const line = this.#buffer.subarray(0, this.#buffered)
    this.clear()
    return line
  }

  #append(piece: Uint8Array): void {
    const bytes = this.#buffered + piece.length
    if (bytes > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(bytes))))
      larger.set(this.#buffer.subarray(0, this.#buffered))
      this.#buffer = larger
    }
    this.#buffer.set(piece, this.#buffered)
    this.#buffered = bytes
  }

  #assertFits(bytes: number): void {
    if (bytes <= this.maxBytes) return
    this.clear()
    throw new InfrastructureError(
      'PROTOCOL_ERROR',
      `A line of ${bytes} bytes or more was received; expected at most ${this.maxBytes}.`,
    )
  }
}

/**
 * Parses a line as JSON. Its nesting is checked first: a million nested lists would cost memory before any field is looked
 * at. Its length has been checked by whoever received it.
 * @throws InfrastructureError `PROTOCOL_ERROR`
 */
export function parseLine(line: string): unknown {
  if (line.length > DEPTH_UNCHECKED) assertShallow(line)
  try {
    return JSON.parse(line)
  } catch {
    throw new InfrastructureError('PROTOCOL_ERROR', `A message is not JSON: ${JSON.stringify(line.slice(0, 60))}.`)
  }
}

/** Counts the brackets outside strings. */
function assertShallow(line: string): void {
  let depth = 0
  for (let at = 0; at < line.length; at++) {
    const code = line.charCodeAt(at)
    if (code === 0x22) {
      // Skip to the end of the string: the next quote without a backslash.
      do {
        at = line.indexOf('"', at + 1)
        if (at === -1) return
      } while (isEscaped(line, at))
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > MAX_DEPTH) {
        throw new InfrastructureError('PROTOCOL_ERROR', `A message is nested deeper than ${MAX_DEPTH}.`)
      }
    } else if (code === 0x5d || code === 0x7d) depth--
  }
}

function isEscaped(line: string, at: number): boolean {
  let slashes = 0
  while (line.charCodeAt(at - 1 - slashes) === 0x5c) slashes++
  return slashes % 2 === 1
}
