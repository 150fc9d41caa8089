import type { DescribedBoardTask, RunSummary, WorkerSummary } from '../../../core/board/summary.ts'
import { showBytes, showCount, showDuration } from '../../../core/text/numbers.ts'
import { make, setText } from '../../shared/elements.ts'
import { plural, showNumber } from '../text.ts'

interface Row {
  readonly element: HTMLTableRowElement
  readonly doing: HTMLElement
  readonly done: HTMLElement
  readonly rate: HTMLElement
  readonly busy: HTMLElement
  readonly memory: HTMLElement
  readonly log: HTMLButtonElement
}

const COLUMNS = [
  ['Worker', ''],
  ['Doing', ''],
  ['Blocks', 'blocks that it has done'],
  ['Rate', 'blocks per second while it has been connected'],
  ['Busy', 'share of that time spent in blocks'],
  ['Memory', 'peak memory of its process'],
] as const

/** Shares and rates mean nothing before this time, seconds. */
const SOON = 1

/** The workers of a run: the current block of each, what it has done, and its log. */
export class WorkerList {
  readonly #tasks: readonly DescribedBoardTask[]
  readonly #onLog: (workerId: string) => void
  readonly #rows = new Map<string, Row>()
  readonly #body = make('tbody', {})
  readonly #table: HTMLElement
  readonly #count = make('p', { class: 'count' })

  constructor(panel: HTMLElement, tasks: readonly DescribedBoardTask[], onLog: (workerId: string) => void) {
    this.#tasks = tasks
    this.#onLog = onLog
    const titles = COLUMNS.map(([name, title]) => make('th', { scope: 'col', title, class: name.toLowerCase() }, name))
    const log = make('th', { scope: 'col', class: 'log-of' }, make('span', { class: 'unseen' }, 'Log'))
    this.#table = make('table', { hidden: true }, make('thead', {}, make('tr', {}, ...titles, log)), this.#body)
    panel.append(this.#count, this.#table)
  }

  update({ workers, workerCounts: { busy, idle, ended }, now, condition }: RunSummary): void {
    const shown = new Set(workers.map(({ id }) => id))
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue
      row.element.remove()
      this.#rows.delete(id)
    }
    const hosts = new Set(workers.map(({ host }) => host))
    for (const worker of workers) this.#updateRow(worker, now, hosts.size > 1)
    this.#table.hidden = workers.length === 0
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

  #updateRow(worker: WorkerSummary, now: number, hasHosts: boolean): void {
    const row = this.#rows.get(worker.id) ?? this.#addRow(worker, hasHosts)
    const { status, task, block, since, done, hasLog, reason, seconds, workingSeconds, peakMemory } = worker
    row.element.dataset.status = status
    const id = task === undefined ? '' : (this.#tasks[task]?.id ?? '')
    const blockSeconds = since === undefined ? 0 : (now - since) / 1000
    // It goes to the next line as a whole.
    const duration = blockSeconds < 1 ? '' : ` ${`for ${showDuration(blockSeconds, 0)}`.replaceAll(' ', '\u00a0')}`
    const isKnown = seconds >= SOON
    setText(row.doing, status === 'busy' ? `${id}/${block}${duration}` : (reason ?? status))
    setText(row.done, showNumber(done))
    setText(row.rate, isKnown && done > 0 ? `${showCount(done / seconds)}/s` : '')
    setText(row.busy, isKnown ? `${Math.round((100 * workingSeconds) / seconds)} %` : '')
    setText(row.memory, peakMemory === undefined ? '' : showBytes(peakMemory))
    row.log.hidden = !hasLog
  }

  #addRow({ id, host, pid }: WorkerSummary, hasHosts: boolean): Row {
    const cell = (name: string) => make('td', { class: name })
    const row: Row = {
      element: make('tr', { class: 'worker' }),
      doing: cell('doing'),
      done: cell('blocks'),
      rate: cell('rate'),
      busy: cell('busy'),
      memory: cell('memory'),
      log: make('button', { type: 'button', 'aria-label': `Log of ${id}` }, 'Log'),
    }
    row.log.addEventListener('click', () => this.#onLog(id))
    const title = host === '' ? id : `${id}: process ${pid} on ${host}`
    const name = make('th', { scope: 'row', title }, make('b', {}, id), hasHosts && make('span', {}, ` ${host}`))
    row.element.append(name, row.doing, row.done, row.rate, row.busy, row.memory)
    row.element.append(make('td', { class: 'log-of' }, row.log))
    this.#body.append(row.element)
    this.#rows.set(id, row)
    return row
  }
}
