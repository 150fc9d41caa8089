import { columnsOf, control, guardStream } from '../terminal.ts'

/** The status of a run: texts of a line, or of several in a narrow terminal. */
export interface StatusText {
  readonly condition: string
  /** What stays the same while the run is running. */
  readonly facts: readonly string[]
  readonly tasks: readonly string[]
  /** Failures, and how to continue. */
  readonly rest: readonly string[]
}

/** A terminal that does not know its size reports 0. */
const UNKNOWN = { columns: 80, rows: 24 }

type Output = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'>

/**
 * Shows the status of a run again and again. A terminal draws it in place, cut to its height until the last time; elsewhere the facts are
 * printed once, and then only lines that were not printed before.
 */
export class StatusDisplay {
  readonly #stream: Output
  readonly #printed = new Set<string>()
  #rowsDrawn = 0

  constructor(stream: Output = process.stdout) {
    guardStream(stream)
    this.#stream = stream
  }

  show({ condition, facts, tasks, rest }: StatusText, { isLast = true } = {}): void {
    const lines = [condition, ...facts, ...tasks, ...rest].flatMap((text) => text.split('\n'))
    if (this.#stream.isTTY) {
      const erase = this.#rowsDrawn > 0 ? control(`\u001b[${this.#rowsDrawn}A\u001b[0J`) : ''
      const drawn = isLast ? lines : this.#cut(lines)
      this.#rowsDrawn = drawn.reduce((sum, line) => sum + this.#rowsOf(line), 0)
      this.#stream.write(`${erase}${drawn.join('\n')}\n`)
      return
    }
    const fresh = lines.filter((line) => !this.#printed.has(line))
    for (const line of fresh) this.#printed.add(line)
    if (fresh.length > 0) this.#stream.write(`${fresh.join('\n')}\n`)
  }

  #rowsOf(line: string): number {
    return Math.max(1, Math.ceil(columnsOf(line) / (this.#stream.columns || UNKNOWN.columns)))
  }

  /** As many lines as can be drawn over: what has scrolled out of a terminal stays there. */
  #cut(lines: readonly string[]): string[] {
    let room = (this.#stream.rows || UNKNOWN.rows) - 2
    const count = lines.findIndex((line) => {
      room -= this.#rowsOf(line)
      return room < 0
    })
    return count === -1 ? [...lines] : [...lines.slice(0, count), `… and ${lines.length - count} more lines`]
  }
}
