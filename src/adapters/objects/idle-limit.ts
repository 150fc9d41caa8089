/** Aborts its signal after a time in which nothing happened. */
export class IdleLimit implements Disposable {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout

  constructor(ms: number) {
    const reason = new Error(`nothing was received for ${Math.round(ms / 100) / 10} s`)
    this.#timer = setTimeout(() => this.#controller.abort(reason), ms)
  }

  /** For a request that another signal may stop, too. */
  with(signal: AbortSignal | undefined): AbortSignal {
    const own = this.#controller.signal
    return signal === undefined ? own : AbortSignal.any([signal, own])
  }

  readonly restart = (): void => void this.#timer.refresh();

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
