/** The part of a log that is requested first, and with each step back, bytes. */
const PIECE = 256 * 1024

/** A part of a log. */
export interface LogPart {
  readonly text: string
  /** Byte positions in the file; the end is exclusive. */
  readonly start: number
  readonly end: number
}

/** Requests parts of a worker's log, which grows while it works. */
export class LogSource {
  readonly address: string

  constructor(workerId: string) {
    this.address = `logs/${encodeURIComponent(workerId)}.txt`
  }

  /** @returns undefined if there is no log */
  async size(): Promise<number | undefined> {
    const response = await fetch(this.address, { method: 'HEAD', cache: 'no-store' })
    return response.ok ? Number(response.headers.get('Content-Length')) : undefined
  }

  /** The part that ends at a position, starting with a whole line unless the log starts there. */
  async before(end: number): Promise<LogPart> {
    const start = Math.max(0, end - PIECE)
    const bytes = await this.#bytes(start, end)
    const skipped = start === 0 ? 0 : bytes.indexOf(0x0a) + 1
    return { text: decode(bytes.subarray(skipped)), start: start + skipped, end: start + bytes.length }
  }

  /** The part from a position to another one. */
  async between(start: number, end: number): Promise<LogPart> {
    const bytes = await this.#bytes(start, end)
    return { text: decode(bytes), start, end: start + bytes.length }
  }

  async #bytes(start: number, end: number): Promise<Uint8Array> {
    // An empty range can't be asked for.
    if (end <= start) return new Uint8Array()
    const response = await fetch(this.address, { headers: { Range: `bytes=${start}-${end - 1}` }, cache: 'no-store' })
    return response.ok ? new Uint8Array(await response.arrayBuffer()) : new Uint8Array()
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours of a terminal, and other control characters
const CONTROLS = /\u001b\[[\d;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f]/g

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).replace(CONTROLS, '')
