import { closeSync, fstatSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { leftOutOfOpen, shiftOfOpen } from '../../../adapters/files/logs/worker-log.ts'
import { openBelow } from '../../../adapters/files/open-file.ts'

const PART_BYTES = 64 * 1024
/** The last lines are looked for in this much of a log's end. */
const END_BYTES = 4 * 2 ** 20

/** The lines of a log that may still grow and be shortened, each once. */
export class LogTail {
  readonly #runFolder: string
  readonly #name: string
  #decoder = new StringDecoder('utf8')
  /** A position in everything that was printed: it stays the same when the log is shortened. */
  #at = 0
  /** The begin of a line whose end is not written yet. */
  #rest = ''

  /**
   * @param name of a file in the folder of the run's logs
   * @param last how many lines are read of what is there already. @default all of them
   */
  constructor(runFolder: string, name: string, last = Number.POSITIVE_INFINITY) {
    this.#runFolder = runFolder
    this.#name = name
    if (last !== Number.POSITIVE_INFINITY) this.#skipTo(last)
  }

  #skipTo(last: number): void {
    const file = openBelow(this.#runFolder, 'logs', this.#name)
    try {
      const { size } = fstatSync(file)
      const end = Buffer.alloc(Math.min(size, END_BYTES))
      const length = readSync(file, end, 0, end.length, size - end.length)
      this.#at = shiftOfOpen(file) + size - length + startOfLast(end.subarray(0, length), last)
    } finally {
      closeSync(file)
    }
  }

  /** The complete lines that were written since. @param isOver whether an incomplete one is the last */
  read(isOver = false): string[] {
    const lines = (this.#rest + this.#appended()).split('\n')
    this.#rest = lines.pop() ?? ''
    if (!isOver || this.#rest === '') return lines
    const last = this.#rest
    this.#rest = ''
    return [...lines, last]
  }

  #appended(): string {
    const file = openBelow(this.#runFolder, 'logs', this.#name)
    try {
      const part = Buffer.alloc(PART_BYTES)
      const { bytes: leftOut, lineLength } = leftOutOfOpen(file)
      const shift = leftOut - lineLength
      let text = ''
      if (this.#at < leftOut) {
        // More was left out than was read, as the first line says.
        if (this.#rest !== '') text = '\n'
        this.#at = shift
        this.#decoder = new StringDecoder('utf8')
      }
      for (;;) {
        const length = readSync(file, part, 0, part.length, this.#at - shift)
        if (length === 0) return text
        this.#at += length
        text += this.#decoder.write(part.subarray(0, length))
      }
    } finally {
      closeSync(file)
    }
  }
}

/** Where the last lines begin. */
function startOfLast(text: Buffer, lines: number): number {
  if (lines === 0) return text.length
  const BREAK = 10
  // The break at the end belongs to the last line.
  let from = text.at(-1) === BREAK ? text.length - 1 : text.length
  for (let count = 0; count < lines; count++) {
    if (from === 0) return 0
    from = text.lastIndexOf(BREAK, from - 1)
    if (from < 0) return 0
  }
  return from + 1
}
