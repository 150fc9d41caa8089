import type { BlockGridOptions } from '../grid/block-grid.ts'
import { orderTasks } from '../scheduling/pipeline.ts'
import { createScheduler, type Scheduler, type TaskState } from '../scheduling/scheduler.ts'
import { STATE_CODE, type StateMap } from '../scheduling/state-map.ts'
import { doneOrUnneeded } from '../scheduling/unneeded.ts'
import { encodeStates, StateRuns } from './state-runs.ts'

export interface BoardTask extends BlockGridOptions {
  readonly id: string
  readonly after: readonly string[]
  /** What it has written is removed when all who read it are done. @default false */
  readonly transient?: boolean
}

/** Tasks with more blocks than this are counted and have no map: a screen could not show them, and each costs a byte. */
export const MAX_MAPPED_BLOCKS = 2 ** 22

const withDone = <Task>(task: Task, done: Uint8Array | undefined) => (done === undefined ? task : { ...task, done })

/**
 * The state of every block of a run, seen from outside: what is told of blocks goes through a scheduler as the run's own, which
 * says what became ready or was orphaned by it. It is tolerant: what does not fit is left out.
 */
export class RunBoard {
  readonly #tasks: readonly BoardTask[]
  readonly #runs: readonly StateRuns[]
  #scheduler!: Scheduler
  /** Raised when all states are new: changes that are collected then are of the new ones. */
  generation = 0
  #maps: readonly (StateMap | undefined)[] = []
  /** Where the states come from a record: how many were skipped, by task. */
  #skipped: readonly number[] | undefined

  constructor(tasks: readonly BoardTask[]) {
    this.#tasks = tasks
    this.#runs = tasks.map(() => new StateRuns())
    this.begin([])
  }

  /** A start of the run. @param done bitmaps of the blocks that are done already, by task */
  begin(done: readonly (Uint8Array | undefined)[]): void {
    const described = this.#tasks.map((task, number) => withDone(task, done[number]))
    // As the run itself counts them at its start.
    const doneOrGone = doneOrUnneeded(described, orderTasks(described))
    const tasks = this.#tasks.map(({ transient: _, ...task }, number) => withDone(task, doneOrGone[number]))
    // What is tried again is told, so a failure that is told is the last.
    this.#scheduler = createScheduler(tasks, { maxRetries: 0 })
    this.#maps = tasks.map(({ id }, number) =>
      this.#scheduler.taskGrid(id).blockCount <= MAX_MAPPED_BLOCKS ? this.#scheduler.stateMap(number) : undefined,
    )
    this.#skipped = undefined
    this.generation++
  }

  /** What a record says after the run has ended. Blocks that it has and that were not known to be skipped count as completed. */
  settle(done: readonly (Uint8Array | undefined)[]): void {
    const before = this.#maps
    for (const [number, map] of before.entries()) if (map !== undefined) this.collect(number)
    this.begin(done)
    this.#skipped = this.#maps.map((map, number) => {
      const known = before[number]?.codes
      let skipped = 0
      for (let index = 0; map !== undefined && index < map.codes.length; index++) {
        if (map.codes[index] !== STATE_CODE.skipped) continue
        if (known?.[index] === STATE_CODE.skipped) skipped++
        else map.codes[index] = STATE_CODE.completed
      }
      return skipped
    })
  }

  lease(task: number, index: number): void {
    this.#hold(task, index)
  }

  complete(task: number, index: number, wasSkipped: boolean): void {
    if (!this.#hold(task, index)) return
    if (wasSkipped) this.#maps[task]?.markSkipped(index)
    this.#scheduler.releaseMany(task, [index], 1, wasSkipped ? 'skipped' : 'done')
  }

  /** Ready again: given back, or to be tried again. */
  giveBack(task: number, index: number): void {
    if (this.#isHeld(task, index)) this.#scheduler.releaseMany(task, [index], 1, 'returned')
  }

  fail(task: number, index: number): void {
    if (this.#hold(task, index)) this.#scheduler.releaseMany(task, [index], 1, 'failed')
  }

  abandon(task: number): void {
    const { id } = this.#tasks[task] ?? {}
    if (id !== undefined) this.#scheduler.abandon(id)
  }

  /** The counts of every task. */
  counts(): TaskState[] {
    const skipped = this.#skipped
    const states = this.#scheduler.states()
    return skipped === undefined ? states : states.map((state, task) => ({ ...state, skipped: skipped[task] ?? 0 }))
  }

  hasMap(task: number): boolean {
    return this.#maps[task] !== undefined
  }

  /** The states as they were when the changes were last collected. */
  codes(task: number): Uint8Array | undefined {
    return this.#maps[task]?.codes
  }

  /** The blocks that have another state since the last call, as runs; empty where none has. */
  collect(task: number): Uint8Array {
    const runs = this.#runs[task] as StateRuns
    this.#maps[task]?.update((index, code) => runs.add(index, code))
    return runs.take()
  }

  /** All states, as runs. */
  snapshot(task: number): Uint8Array {
    const codes = this.codes(task)
    return codes === undefined ? new Uint8Array() : encodeStates(codes)
  }

  #isHeld(task: number, index: number): boolean {
    const { id } = this.#tasks[task] ?? {}
    if (id === undefined || !(index >= 0 && index < this.#scheduler.taskGrid(id).blockCount)) return false
    return this.#scheduler.blockState(id, index) === 'processing'
  }

  #hold(task: number, index: number): boolean {
    if (this.#isHeld(task, index)) return true
    const { id } = this.#tasks[task] ?? {}
    if (id === undefined || !(index >= 0 && index < this.#scheduler.taskGrid(id).blockCount)) return false
    return this.#scheduler.hold(task, index)
  }
}
