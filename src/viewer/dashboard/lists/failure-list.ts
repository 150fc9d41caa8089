import type { DescribedBoardTask, FailureSummary, RunSummary } from '../../../core/board/summary.ts'
import { make } from '../../shared/elements.ts'
import { plural, showNumber, showTime } from '../text.ts'
import { type BlockActions, blockDetails } from './block-details.ts'

interface Row {
  readonly element: HTMLElement
  readonly button: HTMLButtonElement
  /** Resolves when its details are complete; undefined while they are closed. */
  readonly loaded: Promise<void> | undefined
  open(isOpen: boolean): void
}

/** The blocks that failed, with their errors; each opens its details. */
export class FailureList {
  readonly #panel: HTMLElement
  readonly #tasks: readonly DescribedBoardTask[]
  readonly #actions: BlockActions
  /** By task, index and time, so that what is open stays open. */
  #rows = new Map<string, Row>()
  #summary: RunSummary | undefined
  #shown = ''

  constructor(panel: HTMLElement, tasks: readonly DescribedBoardTask[], actions: BlockActions) {
    this.#panel = panel
    this.#tasks = tasks
    this.#actions = actions
  }

  update(summary: RunSummary): void {
    this.#summary = summary
    const { failures, tasks } = summary
    const failed = tasks.reduce((sum, task) => sum + task.failed, 0)
    const orphaned = tasks.reduce((sum, task) => sum + task.orphaned, 0)
    // Redrawn only if it has changed, so that a selection stays.
    const key = `${failed} ${orphaned} ${failures.map(keyOf).join()}`
    if (key === this.#shown) return
    this.#shown = key
    if (failed + orphaned === 0) {
      this.#rows.clear()
      this.#panel.replaceChildren(make('p', { class: 'empty' }, 'No block has failed.'))
      return
    }
    const orphans = orphaned === 0 ? '' : `; ${plural(orphaned, 'block')} that depend on them can’t be done`
    const more = failed - failures.length
    this.#rows = new Map(
      failures.map((failure) => [keyOf(failure), this.#rows.get(keyOf(failure)) ?? this.#row(failure)]),
    )
    this.#panel.replaceChildren(
      make('p', { class: 'count' }, `${plural(failed, 'block')} failed${orphans}.`),
      make('ul', { class: 'rows' }, ...[...this.#rows.values()].map((row) => row.element)),
      ...(more > 0 ? [make('p', { class: 'count' }, `… and ${showNumber(more)} more`)] : []),
    )
  }

  /**
   * Opens the details of the first listed block for which a condition holds, brings them into view, and goes to the block.
   * @param show called before that, if there is one; it makes this list visible
   */
  open(task: number, isWanted: (index: number) => boolean, show: () => void): void {
    const failure = this.#summary?.failures.find((each) => each.task === task && isWanted(each.index))
    const row = failure === undefined ? undefined : this.#rows.get(keyOf(failure))
    if (failure === undefined || row === undefined) return
    show()
    row.open(true)
    this.#actions.mark(task, failure.index)
    // From here, Tab leads through the details; one of their buttons leads back to the map.
    row.button.focus({ preventScroll: true })
    bringIntoView(row.element)
    void row.loaded?.then(() => {
      if (document.activeElement === row.button) bringIntoView(row.element)
    })
  }

  #row(failure: FailureSummary): Row {
    const { task, index, message, code, attempts, workerId, time } = failure
    const name = `${this.#tasks[task]?.id}/${index}`
    const button = make('button', { type: 'button', class: 'opens', 'aria-expanded': 'false' }, name)
    const kind = code === 'BLOCK_FAILED' ? '' : `, ${code}`
    const by = `${plural(attempts, 'attempt')}, ${workerId}, ${showTime(time, this.#summary?.started)}${kind}`
    const text = make('p', {}, message)
    const element = make('li', { class: 'failure' }, button, make('span', { class: 'by' }, by), text)
    let details: ReturnType<typeof blockDetails> | undefined
    const open = (isOpen: boolean) => {
      const described = this.#tasks[task]
      if (isOpen === (details !== undefined) || described === undefined || this.#summary === undefined) return
      button.setAttribute('aria-expanded', String(isOpen))
      text.hidden = isOpen
      details?.element.remove()
      details = isOpen ? blockDetails(failure, described, this.#actions, this.#summary) : undefined
      if (details !== undefined) element.append(details.element)
    }
    button.addEventListener('click', () => {
      const isOpening = details === undefined
      open(isOpening)
      if (isOpening) this.#actions.mark(task, index)
    })
    return {
      ...{ element, button, open },
      get loaded() {
        return details?.loaded
      },
    }
  }
}

/** Scrolls the list and the page as far as needed; of what is higher than its list, the start is shown. */
function bringIntoView(element: HTMLElement): void {
  element.scrollIntoView({ block: 'nearest' })
  element.querySelector('button')?.scrollIntoView({ block: 'nearest' })
}

const keyOf = ({ task, index, time }: FailureSummary): string => `${task}/${index}@${time}`
