import { control } from '../terminal.ts'

/** A terminal that does not know its size reports 0. */
const UNKNOWN = { columns: 80, rows: 24 }

const ENTER = control('\u001b[?1049h\u001b[?25l')
const LEAVE = control('\u001b[?25h\u001b[?1049l')
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/**
 * The whole screen of a terminal, and its keys. However the process ends, by an error or a signal, the terminal is as it was before.
 * @param onKeys called with what was typed
 * @param onResize called when the terminal has another size
 */
export class FullScreen implements Disposable {
  readonly #output: NodeJS.WriteStream
  readonly #input: NodeJS.ReadStream
  readonly #restore = () => this[Symbol.dispose]()
  readonly #exits = Object.entries(SIGNALS).map(([signal, code]) => [signal, () => process.exit(code)] as const)
  readonly #onKeys: (text: string) => void
  readonly #onResize: () => void
  #isOpen = false

  constructor(
    onKeys: (text: string) => void,
    onResize: () => void,
    { output = process.stdout, input = process.stdin }: { output?: NodeJS.WriteStream; input?: NodeJS.ReadStream } = {},
  ) {
    this.#onKeys = onKeys
    this.#onResize = onResize
    this.#output = output
    this.#input = input
  }

  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: this.#output.columns || UNKNOWN.columns, rows: this.#output.rows || UNKNOWN.rows }
  }

  open(): void {
    this.#isOpen = true
    process.on('exit', this.#restore)
    for (const [signal, exit] of this.#exits) process.on(signal, exit)
    this.#output.on('resize', this.#onResize)
    this.#input.setRawMode(true)
    this.#input.setEncoding('utf8').on('data', this.#onKeys).resume()
    this.#output.write(ENTER)
  }

  /** Draws lines, of which none may be wider than the screen. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return
    const body = lines.map((line) => `${line}${control('\u001b[K')}`).join(control('\r\n'))
    this.#output.write(`${control('\u001b[H')}${body}${control('\u001b[J')}`)
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    process.off('exit', this.#restore)
    for (const [signal, exit] of this.#exits) process.off(signal, exit)
    this.#output.off('resize', this.#onResize)
    this.#input.off('data', this.#onKeys).pause()
    this.#input.setRawMode(false)
    this.#output.write(LEAVE)
  }
}
