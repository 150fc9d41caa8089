import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { messageOf } from '../../../core/errors.ts'
import { LOG_START_BYTES, leftOutLine, leftOutOf, logShift } from '../../../core/text/log-start.ts'
import { openLog } from '../open-file.ts'

const LINE_FEED = 0x0a

/**
 * The log of a worker whose output this process writes. Once it is larger than its limit, its first lines are replaced by one that says how
 * much was left out.
 */
export class WorkerLog implements Disposable {
  readonly #path: string
  readonly #maxBytes: number
  #file: number
  #bytes: number
  /** The size from which it is made shorter next. */
  #limit: number
  /** What could not be written, and the reason. */
  #lost: { readonly bytes: number; readonly reason: string } | undefined
  #isOpen = true

  /**
   * @param maxBytes its largest size
   * @throws as `openLog`
   */
  constructor(path: string, maxBytes = Number.POSITIVE_INFINITY) {
    this.#path = path
    this.#maxBytes = maxBytes
    this.#limit = maxBytes
    this.#file = openLog(path)
    this.#bytes = fstatSync(this.#file).size
  }

  /** How much was printed so far, including what was left out. */
  get end(): number {
    return printedBytes(this.#path)
  }

  /** The place in the file for a position in everything that was printed; the first place, if that was left out. */
  placeOf(position: number): number {
    const { bytes, lineLength } = leftOutIn(this.#path)
    return Math.max(lineLength, position - bytes + lineLength)
  }

  /** What can't be written, such as to a full disk, is counted, and the log says so as soon as it can. */
  write(text: Uint8Array): void {
    if (!this.#isOpen) return
    let at = 0
    try {
      if (this.#lost !== undefined) {
        const { bytes, reason } = this.#lost
        this.#append(Buffer.from(`\n[bellis] ${bytes} bytes could not be written here: ${reason}\n`))
        this.#lost = undefined
      }
      at = this.#append(text)
    } catch (error) {
      // Other writes report a full disk.
      this.#lost = { bytes: (this.#lost?.bytes ?? 0) + text.length - at, reason: messageOf(error) }
    }
    if (this.#bytes > this.#limit) this.#tryToShorten()
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    closeSync(this.#file)
  }

  #append(text: Uint8Array): number {
    let at = 0
    while (at < text.length) {
      const length = writeSync(this.#file, text, at)
      at += length
      this.#bytes += length
    }
    return at
  }

  #tryToShorten(): void {
    try {
      this.#shorten()
      this.#limit = this.#maxBytes
    } catch {
      // It stays as it is, and grows until the next attempt.
      this.#limit = this.#bytes + this.#maxBytes / 2
    }
  }

  /** Replaces the file as a whole, so that a kill at this moment loses nothing. */
  #shorten(): void {
    const shorter = shortenLog(readFileSync(this.#path), Math.floor(this.#maxBytes / 2))
    const temporary = `${this.#path}.shorter`
    // One that was left by a kill, or put there.
    rmSync(temporary, { force: true })
    const file = openSync(temporary, 'wx')
    try {
      for (let at = 0; at < shorter.length; ) at += writeSync(file, shorter, at)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, this.#path)
    const next = openLog(this.#path)
    closeSync(this.#file)
    this.#file = next
    this.#bytes = shorter.length
  }
}

/**
 * The last lines of a log, after one that says how much was left out in all.
 * @param keptBytes at most; if one line alone is longer, it is cut
 */
export function shortenLog(text: Buffer, keptBytes: number): Buffer {
  const before = leftOutOf(text.toString('latin1', 0, LOG_START_BYTES))
  const least = Math.max(before.lineLength, text.length - keptBytes)
  const line = text.indexOf(LINE_FEED, Math.max(0, least - 1)) + 1
  // The last line is the rest of the text if it is not complete.
  const from = least === before.lineLength || line === 0 || line === text.length ? least : line
  let { lines } = before
  for (
    let at = text.indexOf(LINE_FEED, before.lineLength);
    at >= 0 && at < from;
    at = text.indexOf(LINE_FEED, at + 1)
  ) {
    lines++
  }
  const bytes = before.bytes + from - before.lineLength
  return Buffer.concat([Buffer.from(bytes === 0 ? '' : leftOutLine({ bytes, lines })), text.subarray(from)])
}

/** How much was printed to a log, including what was left out. @throws the system's error */
export function printedBytes(path: string): number {
  const file = openSync(path, 'r')
  try {
    return fstatSync(file).size + shiftOfOpen(file)
  } finally {
    closeSync(file)
  }
}

/** As `leftOutOf`, for an open file. */
export const leftOutOfOpen = (file: number): ReturnType<typeof leftOutOf> => leftOutOf(startOf(file))

/** As `logShift`, for an open file. */
export const shiftOfOpen = (file: number): number => logShift(startOf(file))

function leftOutIn(path: string): ReturnType<typeof leftOutOf> {
  const file = openSync(path, 'r')
  try {
    return leftOutOfOpen(file)
  } finally {
    closeSync(file)
  }
}

/** The start of an open log, as `logShift` wants it. */
function startOf(file: number): string {
  const start = Buffer.alloc(LOG_START_BYTES)
  return start.toString('latin1', 0, readSync(file, start, 0, start.length, 0))
}
