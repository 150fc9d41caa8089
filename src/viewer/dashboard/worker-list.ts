import type { DescribedBoardTask, RunSummary, WorkerSummary } from '../../core/board/summary.ts'
import { showDuration } from '../../core/text/numbers.ts'
import { make, setText } from '../shared/elements.ts'
import { plural, showNumber } from './text.ts'

const LOG_MS = 2000

interface Row {
  readonly element: HTMLElement
  readonly doing: HTMLElement
  readonly done: HTMLElement
  readonly log: HTMLButtonElement
}

/** The workers of a run: the current block of each, and the end of its log. */
export class WorkerList {
  readonly #panel: HTMLElement
  readonly #tasks: readonly DescribedBoardTask[]
  readonly #rows = new Map<string, Row>()
  readonly #list = make('ul', { class: 'rows' })
  readonly #count = make('p', { class: 'count' })
  #open: { readonly id: string; readonly output: HTMLElement } | undefined

  constructor(panel: HTMLElement, tasks: readonly DescribedBoardTask[]) {
    this.#panel = panel
    this.#tasks = tasks
    panel.append(this.#count, this.#list)
    setInterval(() => void this.#readLog(), LOG_MS)
  }

  update({ workers, workerCounts: { busy, idle, ended }, now, condition }: RunSummary): void {
    const shown = new Set(workers.map(({ id }) => id))
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue
      row.element.remove()
      this.#rows.delete(id)
    }
    for (const worker of workers) this.#updateRow(worker, now)
    const more = busy + idle + ended - workers.length
    const parts = [
      ...(busy > 0 ? [`${showNumber(busy)} busy`] : []),
      ...(idle > 0 ? [`${showNumber(idle)} idle`] : []),
      ...(ended > 0 ? [`${showNumber(ended)} ended`] : []),
      ...(more > 0 ? [`${plural(more, 'more', 'more')} not listed`] : []),
    ]
    const none = condition === 'running' ? 'No worker has connected yet.' : `No workers: the run is ${condition}.`
    setText(this.#count, parts.length === 0 ? none : parts.join(' · '))
  }

  #updateRow(worker: WorkerSummary, now: number): void {
    const row = this.#rows.get(worker.id) ?? this.#addRow(worker)
    const { status, task, block, since, done, hasLog, reason } = worker
    row.element.dataset.status = status
    const id = task === undefined ? '' : (this.#tasks[task]?.id ?? '')
    const seconds = since === undefined ? 0 : (now - since) / 1000
    const duration = seconds < 1 ? '' : ` for ${showDuration(seconds, 0)}`
    setText(row.doing, status === 'busy' ? `${id}/${block}${duration}` : (reason ?? status))
    setText(row.done, `${showNumber(done)} done`)
    row.log.hidden = !hasLog
  }

  #addRow({ id, host, pid }: WorkerSummary): Row {
    const row: Row = {
      element: make('li', { class: 'worker' }),
      doing: make('span', { class: 'doing' }),
      done: make('span', { class: 'done' }),
      log: make('button', { type: 'button', 'aria-expanded': 'false' }, 'Log'),
    }
    row.log.addEventListener('click', () => this.#toggleLog(id, row))
    const name = make('b', { title: host === '' ? id : `${id}: process ${pid} on ${host}` }, id)
    row.element.append(name, make('span', { class: 'host' }, host), row.doing, row.done, row.log)
    this.#list.append(row.element)
    this.#rows.set(id, row)
    return row
  }

  #toggleLog(id: string, row: Row): void {
    const wasOpen = this.#open?.id === id
    this.#open?.output.remove()
    for (const each of this.#rows.values()) each.log.setAttribute('aria-expanded', 'false')
    this.#open = undefined
    if (wasOpen) return
    const output = make('pre', { class: 'log', tabindex: 0, 'aria-label': `The end of the log of ${id}` }, '…')
    row.log.setAttribute('aria-expanded', 'true')
    row.element.append(output)
    this.#open = { id, output }
    void this.#readLog()
  }

  async #readLog(): Promise<void> {
    const open = this.#open
    if (open === undefined || document.hidden || this.#panel.hidden) return
    try {
      const response = await fetch(`logs/${encodeURIComponent(open.id)}.txt`, { cache: 'no-store' })
      const text = response.ok ? await response.text() : 'There is no log.'
      const isAtEnd = open.output.scrollTop + open.output.clientHeight >= open.output.scrollHeight - 4
      setText(open.output, text.trim() === '' ? 'The log is empty.' : text)
      if (isAtEnd) open.output.scrollTop = open.output.scrollHeight
    } catch {
      // The page already shows that bellis does not respond.
    }
  }
}
