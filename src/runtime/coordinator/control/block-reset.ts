import type { ControlCommand } from '../../../core/control/commands.ts'
import { countBlocks, forgettingOrder, forgottenBoxes } from '../../../core/control/forgotten-region.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ControlEvent, ResetTask } from '../../../core/events.ts'
import { type IndexBox, isInBox, splitIndex } from '../../../core/grid/index-box.ts'
import { isRequested } from '../../../core/workers/worker-state.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { type LeaseBook, restOf } from '../lease-book.ts'
import type { RunTally } from '../run-tally.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { TransientArrays } from '../transient-arrays.ts'
import type { RunningTask } from '../workers/pool.ts'
import type { SessionSaver } from '../workers/session-saver.ts'
import type { TaskSetups } from '../workers/task-setups.ts'
import type { WorkerConnections } from '../workers/worker-connections.ts'
import type { Crew } from './crew.ts'

/** Every block of a region is named in the record, and looked at. */
const MAX_BLOCKS = 2 ** 24

export interface ResetParts {
  readonly book: LeaseBook
  readonly connections: WorkerConnections
  readonly crew: Crew
  readonly dispatcher: Dispatcher
  readonly saver: SessionSaver
  readonly setups: TaskSetups
  readonly tally: RunTally
  readonly transients: TransientArrays
}

/**
 * Has blocks done again during a run. The record forgets them first, those that depend on others before these, so that it is true at
 * whatever moment the run is killed. Blocks that had started are handed out only when that is on the disk, when no block is running
 * that was forgotten or that reads the former output of one that was, and when no chunk of a transient array is being removed.
 */
export class BlockReset {
  readonly #run: RunningPipeline
  readonly #parts: ResetParts
  #isWithholding = false
  /** Preparations that have not ended. */
  #underWay = 0
  #recorded: Promise<void> = Promise.resolve()

  constructor(run: RunningPipeline, parts: ResetParts) {
    this.#run = run
    this.#parts = parts
  }

  /** Resolves when the record has forgotten what was reset so far. @throws InfrastructureError as `RunRecord.commit` */
  get recorded(): Promise<void> {
    return this.#recorded
  }

  /** @throws ConfigError `UNKNOWN_TASK`, `INVALID_ROI`, `UNSUPPORTED` for too many blocks: nothing was changed then */
  reset({ roi, tasks, keepWorkers }: Extract<ControlCommand, { type: 'reset' }>): ControlEvent {
    const run = this.#run
    const boxes = forgottenBoxes(
      run.tasks.map(({ planned }) => planned),
      { roi, tasks },
    )
    assertFew(boxes)
    const forgotten = run.scheduler.forgetting.forget(boxes)
    const reset: ControlEvent = {
      type: 'reset',
      ...(roi === undefined ? {} : { roi }),
      tasks: forgotten.map(({ task, completed, failed, running }): ResetTask => {
        const { id } = run.tasks[task] as RunningTask
        return { id, completed, failed, running: running.length, boxes: boxes[task] ?? [] }
      }),
    }
    if (forgotten.length > 0) {
      this.#isWithholding = true
      this.#recall()
      for (const task of run.tasks) forgetTrouble(task, boxes[task.number] ?? [])
      this.#prepare(boxes)
    }
    const changed = forgotten.map(({ task }) => run.tasks[task] as RunningTask)
    if (!keepWorkers) this.#renewWorkers(changed)
    for (const pool of run.pools) this.#parts.crew.fill(pool)
    run.events.emit(reset)
    this.#parts.tally.reportProgress()
    return reset
  }

  /** Lets the forgotten blocks start as soon as that is possible. Called after everything that happens. */
  releaseIfClear(): void {
    if (!this.#isWithholding || this.#underWay > 0 || !this.#run.scheduler.forgetting.isClear) return
    this.#isWithholding = false
    this.#run.scheduler.forgetting.release()
    this.#parts.dispatcher.handOut()
  }

  /** Asks workers to give back what they are doing in vain, and lets no later start of the run expect it of them. */
  #recall(): void {
    const { book, connections, saver } = this.#parts
    for (const worker of book.busy) {
      for (const lease of book.leasesOf(worker)) {
        const isDoomed = (index: number) => this.#run.scheduler.forgetting.isDoomed(lease.task.number, index)
        if (lease.isRecalled || !restOf(lease).some(isDoomed)) continue
        lease.isRecalled = true
        connections.send(worker, { type: 'revoked', lease: lease.id })
      }
    }
    saver.saveNow()
  }

  #prepare(boxes: readonly (readonly IndexBox[])[]): void {
    const { transients } = this.#parts
    const recorded = this.#forgetInRecord(boxes)
    this.#recorded = recorded
    this.#underWay++
    Promise.all([recorded, transients.forget()]).then(
      () => this.#run.control.turn(() => this.#underWay--),
      // The recorder has reported it, and the run stops.
      () => {},
    )
  }

  async #forgetInRecord(boxes: readonly (readonly IndexBox[])[]): Promise<void> {
    const { tasks, options } = this.#run
    const { recorder, lineage } = options.progress ?? {}
    if (recorder === undefined) return
    const order = forgettingOrder(tasks.map(({ planned }) => planned.isTransient))
    // All at once, so that nothing is recorded in between.
    await Promise.all(
      order.map((number) => {
        const { grid } = (tasks[number] as RunningTask).planned
        const mine = boxes[number] ?? []
        if (mine.length === 0) return undefined
        const isWhole = mine.some((box) => countBlocks(box) === grid.blockCount)
        return recorder.forget(number, isWhole ? undefined : new Set(mine.flatMap((box) => [...grid.indicesOf(box)])))
      }),
    )
    await (lineage?.renew() ?? recorder.sync())
  }

  /** Started workers keep the code that they have imported. */
  #renewWorkers(tasks: readonly RunningTask[]): void {
    const { crew, setups } = this.#parts
    for (const worker of this.#run.workers.values()) {
      if (isRequested(worker.origin) && tasks.some((task) => setups.isSetUp(worker, task))) crew.renew(worker)
    }
  }
}

/** What has gone wrong with forgotten blocks does not count any more. */
function forgetTrouble(task: RunningTask, boxes: readonly IndexBox[]): void {
  if (boxes.length === 0) return
  const at: number[] = []
  const isForgotten = (index: number): boolean => {
    splitIndex(index, task.planned.grid.shape, at)
    return boxes.some((box) => isInBox(at, box))
  }
  task.failures.splice(0, task.failures.length, ...task.failures.filter(({ index }) => !isForgotten(index)))
  for (const index of task.suspects) if (isForgotten(index)) task.suspects.delete(index)
  task.streak.end()
}

/** @throws ConfigError `UNSUPPORTED` */
function assertFew(boxes: readonly (readonly IndexBox[])[]): void {
  const count = boxes.flat().reduce((sum, box) => sum + countBlocks(box), 0)
  if (count <= MAX_BLOCKS) return
  throw new ConfigError(
    'UNSUPPORTED',
    `${count} blocks would have to be done again; at most ${MAX_BLOCKS} can be reset while the run is running. Stop it, reset it, and continue it.`,
  )
}
