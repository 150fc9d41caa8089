import type { RunSummary } from '../../core/board/summary.ts'
import { parseWorkerRange } from '../../core/workers/pool-size.ts'
import { element, setText } from '../shared/elements.ts'

type Action = 'stop' | 'workers' | 'retry' | 'reset'

/** What the page can have the run do, if the user has started it with that. */
export class RunControl {
  readonly #bar = element('control')
  readonly #workers = element<HTMLInputElement>('control-workers')
  readonly #retry = element('control-retry')
  readonly #answer = element('control-answer')
  readonly #confirm = element<HTMLDialogElement>('confirm')
  readonly #redo = element<HTMLDialogElement>('redo')
  readonly #region = element<HTMLInputElement>('redo-region')
  #running = 0
  /** The range that the run has taken from here: it stays, since the number of workers follows the work. */
  #range = ''
  /** The region of the block that the user has pointed at last. */
  #pointed = ''

  constructor() {
    element('control-scale').addEventListener('click', () => this.#scale())
    this.#workers.addEventListener('input', () => this.#workers.setCustomValidity(''))
    this.#workers.addEventListener('keydown', ({ key }) => {
      if (key === 'Enter') this.#scale()
    })
    this.#retry.addEventListener('click', () => void this.#send('retry', {}))
    element('control-stop').addEventListener('click', () => this.#askToStop())
    element('control-redo').addEventListener('click', () => this.askToRedo(this.#pointed))
    element('redo-no').addEventListener('click', () => this.#redo.close())
    element('redo-yes').addEventListener('click', () => this.#redoRegion())
    this.#region.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter') return
      // Otherwise the button that gets the focus back would be pressed by it.
      event.preventDefault()
      this.#redoRegion()
    })
    element('confirm-no').addEventListener('click', () => this.#confirm.close())
    element('confirm-yes').addEventListener('click', () => {
      this.#confirm.close()
      void this.#send('stop', {})
    })
  }

  update({ control = false, condition, workerCounts: { busy, idle }, tasks }: RunSummary): void {
    this.#bar.hidden = !control || condition !== 'running'
    this.#running = tasks.reduce((sum, { processing }) => sum + processing, 0)
    this.#retry.hidden = tasks.every(({ failed }) => failed === 0)
    // What the user is typing stays.
    if (document.activeElement !== this.#workers) this.#workers.value = this.#range || String(busy + idle)
  }

  /** Whether the page may control the run now. */
  get isAllowed(): boolean {
    return !this.#bar.hidden
  }

  /** The user points at a block. @param region what it writes, in nm */
  point(region: string): void {
    this.#pointed = region
  }

  /** Asks whether a region is to be done again. @param region in nm, which the user may change */
  askToRedo(region: string): void {
    this.#region.value = region
    this.#redo.showModal()
    this.#region.select()
  }

  #redoRegion(): void {
    if (!this.#region.reportValidity()) return
    this.#redo.close()
    void this.#send('reset', { roi: this.#region.value.trim() })
  }

  #scale(): void {
    const range = parseWorkerRange(this.#workers.value)
    this.#workers.setCustomValidity(range === undefined ? 'A number of at least 1, or a range such as 10..200' : '')
    if (!this.#workers.reportValidity() || range === undefined) return
    const { least, most } = range
    void this.#send('workers', { workers: most, ...(least === most ? {} : { least }) }).then((isDone) => {
      if (isDone) this.#range = least === most ? '' : `${least}..${most}`
    })
  }

  #askToStop(): void {
    const blocks = this.#running === 1 ? 'The block that is running' : `The ${this.#running} blocks that are running`
    const then = this.#running === 0 ? '' : `${blocks} may finish. `
    setText(element('confirm-then'), `${then}The same command continues the run later. A second time ends it at once.`)
    this.#confirm.showModal()
  }

  /** @returns whether the run has carried it out */
  async #send(action: Action, body: object): Promise<boolean> {
    setText(this.#answer, '…')
    this.#answer.dataset.kind = ''
    try {
      const response = await fetch(`control/${action}`, {
        method: 'POST',
        // The address of the page contains it; a page of another origin can't read it.
        headers: { 'Content-Type': 'application/json', 'x-bellis-token': location.pathname.split('/')[1] ?? '' },
        body: JSON.stringify(body),
      })
      const { text, error } = (await response.json()) as { readonly text?: string; readonly error?: string }
      this.#show(response.ok ? 'good' : 'alert', text ?? error ?? `bellis answered ${response.status}.`)
      return response.ok
    } catch {
      this.#show('alert', 'bellis does not respond.')
      return false
    }
  }

  #show(kind: 'good' | 'alert', text: string): void {
    this.#answer.dataset.kind = kind
    setText(this.#answer, text)
  }
}
