import { isBitSet } from './bitmap.ts'
import { COMPLETED, FAILED, ORPHANED, PAGE_SIZE, PENDING, PROCESSING, READY, UNTOUCHED } from './block-states.ts'
import { isIdle, isLeftOut } from './scheduler-task.ts'
import type { TaskRun } from './task-run.ts'

/**
 * The states of blocks as bytes, for maps. `skipped` blocks are completed, and there was nothing to do for them. `masked` blocks count as
 * completed, and are outside a mask; `leftOut` blocks are not to be done by this start.
 */
export const STATE_CODE = {
  pending: 0,
  ready: 1,
  processing: 2,
  completed: 3,
  failed: 4,
  orphaned: 5,
  skipped: 6,
  masked: 7,
  leftOut: 8,
} as const
export const STATE_NAMES = Object.keys(STATE_CODE) as readonly (keyof typeof STATE_CODE)[]

/**
 * The state of every block of a task, one byte each: a copy for display, since the scheduler answers only for single blocks.
 */
export class StateMap {
  /** By index. */
  readonly codes: Uint8Array
  readonly #task: TaskRun
  /** Blocks that were done without work. */
  readonly #skipped: Uint8Array
  /** Pages in which every block is completed: they change only if a block of them is forgotten. */
  readonly #isFinished: Uint8Array
  #isAbandoned = false

  /** Visits every block once. */
  constructor(task: TaskRun) {
    const { total, states } = task
    this.#task = task
    this.codes = new Uint8Array(total)
    this.#skipped = new Uint8Array(Math.ceil(total / 8))
    this.#isFinished = new Uint8Array(states.pages.length)
    for (let index = 0; index < total; index++) {
      const cell = states.peek(index)
      if (cell === COMPLETED) {
        this.markSkipped(index)
        this.codes[index] = this.#codeOf(cell, STATE_CODE.pending, index)
      } else if (cell === UNTOUCHED && task.awaited.count(index, 1) === 0) this.codes[index] = STATE_CODE.ready
    }
    this.update(() => {})
  }

  /** To be called before the block is released. */
  markSkipped(index: number): void {
    this.#skipped[Math.floor(index / 8)]! |= 1 << (index & 7)
  }

  /** The block counts as completed now, or is no longer completed. */
  markDone(index: number): void {
    this.#skipped[Math.floor(index / 8)]! &= ~(1 << (index & 7))
    if (this.codes[index] === STATE_CODE.skipped) this.codes[index] = STATE_CODE.completed
  }

  /** Brings `codes` up to date. @param onChange called for every block whose state has changed, ascending */
  update(onChange: (index: number, code: number) => void): void {
    const { states, abandoned } = this.#task
    const hasChanged = abandoned !== this.#isAbandoned
    this.#isAbandoned = abandoned
    for (let number = 0; number < states.pages.length; number++) {
      if (this.#isFinished[number] === 1 && states.isFinished(number)) continue
      const page = states.pages[number]
      if (page === undefined && !hasChanged) continue
      const start = number * PAGE_SIZE
      const end = Math.min(start + PAGE_SIZE, this.codes.length)
      let completed = 0
      for (let index = start; index < end; index++) {
        const before = this.codes[index]!
        const cell = page === undefined ? states.peek(index) : page[index - start]!
        if (cell === COMPLETED) completed++
        const code = this.#codeOf(cell, before, index)
        if (code === before) continue
        this.codes[index] = code
        onChange(index, code)
      }
      this.#isFinished[number] = completed === end - start ? 1 : 0
    }
  }

  #codeAtStart(index: number): number {
    return this.#task.awaited.count(index, 1) === 0 ? STATE_CODE.ready : STATE_CODE.pending
  }

  #codeOf(cell: number, before: number, index: number): number {
    switch (cell) {
      case COMPLETED:
        if (isIdle(this.#task, index)) return isLeftOut(this.#task, index) ? STATE_CODE.leftOut : STATE_CODE.masked
        return isBitSet(this.#skipped, index) ? STATE_CODE.skipped : STATE_CODE.completed
      case PROCESSING:
        return STATE_CODE.processing
      case FAILED:
        return STATE_CODE.failed
      case ORPHANED:
        return STATE_CODE.orphaned
      default:
        if (this.#isAbandoned) return STATE_CODE.orphaned
        if (cell === READY) return STATE_CODE.ready
        if (cell > PENDING) return STATE_CODE.pending
        // An untouched block has the state that it had at the start, except while its task was abandoned.
        return before === STATE_CODE.orphaned ? this.#codeAtStart(index) : before
    }
  }
}
