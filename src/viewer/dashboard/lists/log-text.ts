import { LOG_START_BYTES, logShift } from '../../../core/text/log-start.ts'

/** The part of a log that is requested first, and with each step back, bytes. */
const PIECE = 256 * 1024

/** A part of a log. */
export interface LogPart {
  readonly text: string
  /** Byte positions in everything that was printed, some of which may be left out of the log; the end is exclusive. */
  readonly start: number
  readonly end: number
}

/** Requests parts of a worker's log, which grows while it works, and may be shortened at its start. */
export class LogSource {
  readonly address: string
  /** What is added to positions in the file. */
  #shift = 0

  constructor(workerId: string) {
    this.address = `logs/${encodeURIComponent(workerId)}.txt`
  }

  /** The position of the first byte that is there. */
  get start(): number {
    return this.#shift
  }

  /** How much was printed. @returns undefined if there is no log */
  async size(): Promise<number | undefined> {
    const response = await fetch(this.address, { method: 'HEAD', cache: 'no-store' })
    if (!response.ok) return undefined
    const size = Number(response.headers.get('Content-Length'))
    this.#shift = logShift(new TextDecoder('latin1').decode(await this.#inFile(0, Math.min(size, LOG_START_BYTES))))
    return this.#shift + size
  }

  /** The part that ends at a position, starting with a whole line unless the log starts there. */
  async before(end: number): Promise<LogPart> {
    const start = Math.max(this.#shift, end - PIECE)
    const bytes = await this.#bytes(start, end)
    const skipped = start === this.#shift ? 0 : bytes.indexOf(0x0a) + 1
    return { text: decode(bytes.subarray(skipped)), start: start + skipped, end: start + bytes.length }
  }

  /** The part from a position to another one. */
  async between(start: number, end: number): Promise<LogPart> {
    const bytes = await this.#bytes(start, end)
    return { text: decode(bytes), start, end: start + bytes.length }
  }

  async #bytes(start: number, end: number): Promise<Uint8Array> {
    return await this.#inFile(Math.max(0, start - this.#shift), end - this.#shift)
  }

  async #inFile(start: number, end: number): Promise<Uint8Array> {
    // An empty range can't be asked for.
    if (end <= start) return new Uint8Array()
    const response = await fetch(this.address, { headers: { Range: `bytes=${start}-${end - 1}` }, cache: 'no-store' })
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : new Uint8Array()
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal, and other control characters
const CONTROLS = /\u001b\[[\d;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(CONTROLS, '')
