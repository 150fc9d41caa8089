import type { TaskCounts } from '../events.ts'
import { given } from '../given.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import type { IndexBox } from '../grid/index-box.ts'
import { withoutBits } from '../scheduling/bitmap.ts'
import { BlockScheduler } from '../scheduling/block-scheduler.ts'
import { orderTasks } from '../scheduling/pipeline.ts'
import { withMasked } from '../scheduling/scheduler-task.ts'
import { STATE_CODE, type StateMap } from '../scheduling/state-map.ts'
import { doneOrUnneeded } from '../scheduling/unneeded.ts'
import { CellMap, type KnownBlocks, MAX_MAPPED_BLOCKS, mapGridOf } from './cell-map.ts'
import { StateRuns } from './state-runs.ts'

export interface BoardTask extends BlockGridOptions {
  readonly id: string
  readonly after: readonly string[]
  /** Its output is removed once all tasks that read it are done. @default false */
  readonly transient?: boolean
}

/** Bitmaps of a task's blocks that need not run. */
export interface IdleBlocks {
  /** Those outside a mask. */
  readonly masked?: Uint8Array | undefined
  /** Those that the start leaves as they are. */
  readonly leftOut?: Uint8Array | undefined
}

/**
 * The state of every block of a run, reconstructed from its events. They drive a scheduler like the run's own, which determines
 * which blocks become ready or orphaned. Events that don't fit the state are ignored.
 */
export class RunBoard {
  readonly #tasks: readonly BoardTask[]
  readonly #runs: readonly StateRuns[]
  #scheduler!: BlockScheduler
  /** Increases when all states are replaced; changes collected afterwards refer to the new ones. */
  generation = 0
  #maps: readonly (StateMap | CellMap)[] = []
  /** Skipped blocks by task, if the states come from a record. */
  #skipped: readonly number[] | undefined
  #idle: readonly IdleBlocks[] = []

  constructor(tasks: readonly BoardTask[]) {
    this.#tasks = tasks
    this.#runs = tasks.map(() => new StateRuns())
    this.begin([])
  }

  /** The run was started. @param done bitmaps of the blocks that are already done, by task @param idle of those that need not run */
  begin(done: readonly (Uint8Array | undefined)[], idle: readonly IdleBlocks[] = []): void {
    this.#idle = idle
    const described = this.#tasks.map((task, number) =>
      withMasked({ ...task, ...given({ done: done[number], masked: idle[number]?.masked }) }),
    )
    // The run itself does the same at its start.
    const doneOrGone = doneOrUnneeded(described, orderTasks(described))
    const known = this.#tasks.map((_, number): KnownBlocks => {
      const { masked } = described[number] ?? {}
      const doneNow = doneOrGone[number]
      const leftOut = idle[number]?.leftOut
      return given({
        done: doneNow === undefined ? undefined : withoutBits(doneNow, masked),
        masked,
        leftOut: leftOut === undefined ? undefined : withoutBits(leftOut, doneNow),
      })
    })
    const tasks = this.#tasks.map(({ transient: _, ...task }, number) => ({ ...task, ...given(known[number] ?? {}) }))
    // Retries are separate events, so every failure is final here.
    this.#scheduler = new BlockScheduler(tasks, { maxRetries: 0 })
    this.#maps = tasks.map((task, number) => {
      if (this.#scheduler.task(number).grid.blockCount <= MAX_MAPPED_BLOCKS) return this.#scheduler.stateMap(number)
      return new CellMap(
        task,
        mapGridOf(task),
        known[number] ?? {},
        (index) => STATE_CODE[this.#scheduler.task(number).blockState(index)],
      )
    })
    this.#skipped = undefined
    this.generation++
  }

  /** Takes the states from the record after the run has ended. Its blocks count as completed unless they are known to be skipped. */
  settle(done: readonly (Uint8Array | undefined)[]): void {
    const before = this.#maps
    const counted = this.counts
    for (const number of before.keys()) this.collect(number)
    this.begin(done, this.#idle)
    const now = this.#scheduler.counts()
    this.#skipped = this.#maps.map((map, number) => {
      const known = before[number]?.codes
      let skipped = 0
      for (let index = 0; index < map.codes.length; index++) {
        if (map.codes[index] !== STATE_CODE.skipped) continue
        if (known?.[index] === STATE_CODE.skipped) skipped++
        else if (map instanceof CellMap) map.codes[index] = STATE_CODE.completed
        else map.markDone(index)
      }
      if (map instanceof CellMap) return Math.min(counted[number]?.skipped ?? 0, now[number]?.completed ?? 0)
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
    this.#cells(task)?.complete(index)
  }

  /** A block is ready again: returned, or to be retried. */
  giveBack(task: number, index: number): void {
    if (!this.#isHeld(task, index)) return
    this.#scheduler.releaseMany(task, [index], 1, 'returned')
    this.#cells(task)?.giveBack(index)
  }

  fail(task: number, index: number): void {
    if (!this.#hold(task, index)) return
    this.#scheduler.releaseMany(task, [index], 1, 'failed')
    this.#cells(task)?.fail(index)
  }

  /** Blocks are done again: those that failed, of one task or of all, or those of boxes, by task. */
  reopen(what: { readonly failedOf: number | undefined } | { readonly boxes: readonly (readonly IndexBox[])[] }): void {
    if ('boxes' in what) this.#forget(what.boxes)
    else this.#retry(what.failedOf)
  }

  abandon(task: number): void {
    if (this.#tasks[task] !== undefined) this.#scheduler.abandon(task)
  }

  /** The block counts of every task. */
  get counts(): TaskCounts[] {
    const skipped = this.#skipped
    const states = this.#scheduler.counts()
    return skipped === undefined ? states : states.map((state, task) => ({ ...state, skipped: skipped[task] ?? 0 }))
  }

  /** The states of the blocks or cells of a task's map, as of the last `collect`. */
  codes(task: number): Uint8Array | undefined {
    return this.#maps[task]?.codes
  }

  /** The blocks or cells whose state has changed since the last call, as runs; empty if none has. */
  collect(task: number): Uint8Array {
    const runs = this.#runs[task] as StateRuns
    this.#maps[task]?.update((index, code) => runs.add(index, code))
    return runs.take()
  }

  #retry(task: number | undefined): void {
    if (task !== undefined && this.#tasks[task] === undefined) return
    for (const { task: number, failed } of this.#scheduler.reopening.retry(task)) {
      const cells = this.#cells(number)
      if (cells !== undefined) for (const index of failed) cells.retry(index)
    }
  }

  #forget(boxes: readonly (readonly IndexBox[])[]): void {
    const known = this.#tasks.map((_, task) => {
      const { shape } = this.#scheduler.task(task).grid
      return (boxes[task] ?? []).map((box) => clipped(box, shape))
    })
    for (const [task, mine] of known.entries()) {
      const { grid } = this.#scheduler.task(task)
      const map = this.#maps[task]
      for (const index of new Set(mine.flatMap((box) => [...grid.indicesOf(box)]))) {
        if (map instanceof CellMap) map.forget(index, this.#scheduler.task(task).blockState(index))
        else map?.markDone(index)
      }
    }
    this.#scheduler.forgetting.forget(known, false)
  }

  #cells(task: number): CellMap | undefined {
    const map = this.#maps[task]
    return map instanceof CellMap ? map : undefined
  }

  #isHeld(task: number, index: number): boolean {
    return this.#isBlock(task, index) && this.#scheduler.task(task).blockState(index) === 'processing'
  }

  #isBlock(task: number, index: number): boolean {
    if (this.#tasks[task] === undefined) return false
    return index >= 0 && index < this.#scheduler.task(task).grid.blockCount
  }

  #hold(task: number, index: number): boolean {
    if (this.#isHeld(task, index)) return true
    if (!this.#isBlock(task, index) || !this.#scheduler.hold(task, index)) return false
    this.#cells(task)?.hold(index)
    return true
  }
}

/** A box without what lies outside of a grid. */
const clipped = ({ start, end }: IndexBox, shape: readonly number[]): IndexBox => ({
  start: shape.map((count, axis) => Math.min(count, Math.max(0, start[axis] ?? 0))),
  end: shape.map((count, axis) => Math.min(count, Math.max(0, end[axis] ?? 0))),
})
