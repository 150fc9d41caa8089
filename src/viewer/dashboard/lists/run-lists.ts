import type { RunSummary } from '../../../core/board/summary.ts'
import { element, setText } from '../../shared/elements.ts'
import type { RunModel } from '../run-model.ts'
import { showNumber } from '../text.ts'
import type { BlockActions } from './block-details.ts'
import { FailureList } from './failure-list.ts'
import { LogDialog } from './log-dialog.ts'
import { NoteList } from './note-list.ts'
import { bindTabs } from './tabs.ts'
import { WorkerList } from './worker-list.ts'

/** The workers, failed blocks and events of a run, in tabs. */
export class RunLists {
  readonly #tabs = bindTabs(document.querySelector('[role=tablist]') as HTMLElement)
  readonly #workers: WorkerList
  readonly #failures: FailureList
  readonly #notes = new NoteList(element('notes'))
  #hadFailures = false

  constructor(model: RunModel, actions: Omit<BlockActions, 'openLog' | 'attempts'>) {
    const log = new LogDialog()
    const { tasks } = model.description
    this.#workers = new WorkerList(element('workers'), tasks, (workerId) => void log.open(workerId))
    this.#failures = new FailureList(element('failures'), tasks, {
      ...actions,
      openLog: (workerId, mark) => void log.open(workerId, mark),
      attempts: (task, index) => model.attempts(task, index),
    })
  }

  update(summary: RunSummary): void {
    this.#workers.update(summary)
    this.#failures.update(summary)
    this.#notes.update(summary)
    const failed = summary.tasks.reduce((sum, task) => sum + task.failed, 0)
    setText(element('tab-failures'), failed === 0 ? 'Failed' : `Failed ${showNumber(failed)}`)
    if (failed > 0 && !this.#hadFailures) this.#tabs.select('tab-failures')
    this.#hadFailures = failed > 0
  }

  /** Opens the details of the first failed block of a task for which a condition holds. */
  openFailure(task: number, isWanted: (index: number) => boolean): void {
    this.#failures.open(task, isWanted, () => this.#tabs.select('tab-failures'))
  }
}
