import type { DescribedBoardTask, FailureSummary, Note, RunSummary } from '../../core/board/summary.ts'
import { make } from '../shared/elements.ts'
import { plural, showNumber, showTime } from './text.ts'

/** The blocks that failed, with their errors. */
export class FailureList {
  readonly #panel: HTMLElement
  readonly #tasks: readonly DescribedBoardTask[]
  readonly #onOpen: (task: number, index: number) => void
  #shown = ''

  constructor(panel: HTMLElement, tasks: readonly DescribedBoardTask[], onOpen: (task: number, index: number) => void) {
    this.#panel = panel
    this.#tasks = tasks
    this.#onOpen = onOpen
  }

  update({ failures, tasks, started }: RunSummary): void {
    const failed = tasks.reduce((sum, task) => sum + task.failed, 0)
    const orphaned = tasks.reduce((sum, task) => sum + task.orphaned, 0)
    // Redrawn only if it has changed, so that a selection stays.
    const key = `${failed} ${orphaned} ${failures.map(({ task, index, time }) => `${task}/${index}@${time}`).join()}`
    if (key === this.#shown) return
    this.#shown = key
    if (failed + orphaned === 0) {
      this.#panel.replaceChildren(make('p', { class: 'empty' }, 'No block has failed.'))
      return
    }
    const orphans = orphaned === 0 ? '' : `; ${plural(orphaned, 'block')} that depend on them can’t be done`
    const more = failed - failures.length
    this.#panel.replaceChildren(
      make('p', { class: 'count' }, `${plural(failed, 'block')} failed${orphans}.`),
      make('ul', { class: 'rows' }, ...failures.map((failure) => this.#row(failure, started))),
      ...(more > 0 ? [make('p', { class: 'count' }, `… and ${showNumber(more)} more`)] : []),
    )
  }

  #row({ task, index, message, code, attempts, workerId, time }: FailureSummary, started?: number): HTMLElement {
    const open = make('button', { type: 'button', title: 'Show on the map' }, `${this.#tasks[task]?.id}/${index}`)
    open.addEventListener('click', () => this.#onOpen(task, index))
    const by = `${plural(attempts, 'attempt')}, ${workerId}, ${showTime(time, started)}, ${code}`
    return make('li', { class: 'failure' }, open, make('span', { class: 'by' }, by), make('p', {}, message))
  }
}

/** Other events. */
export class NoteList {
  readonly #panel: HTMLElement
  #shown: string | undefined

  constructor(panel: HTMLElement) {
    this.#panel = panel
  }

  update({ notes, started }: RunSummary): void {
    const key = `${notes.length} ${notes[0]?.time} ${notes[0]?.text}`
    if (key === this.#shown) return
    this.#shown = key
    this.#panel.replaceChildren(
      notes.length === 0
        ? make('p', { class: 'empty' }, 'Nothing unusual has happened.')
        : make('ul', { class: 'rows' }, ...notes.map((note) => this.#row(note, started))),
    )
  }

  #row({ time, text }: Note, started?: number): HTMLElement {
    return make(
      'li',
      { class: 'note' },
      make('time', { datetime: new Date(time).toISOString() }, showTime(time, started)),
      make('p', {}, text),
    )
  }
}
