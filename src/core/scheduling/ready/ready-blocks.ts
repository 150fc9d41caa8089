import { type BlockStates, READY, UNTOUCHED } from '../block-states.ts'
import { IndexQueue } from './index-queue.ts'
import type { RootCursor } from './root-cursor.ts'

/** More ready blocks than this need not be counted: that could take seconds, and nothing is decided differently. */
const COUNTED_AHEAD = 2 ** 17

/**
 * The ready blocks of a task, in the order in which they are handed out: blocks that became ready during the run (queued)
 * before further roots. The cells of the block states are the truth; a queued index whose cell is not READY is skipped.
 */
export class ReadyBlocks {
  readonly #states: BlockStates
  readonly #roots: RootCursor
  readonly #queue = new IndexQueue()
  /** blocks whose cell is READY */
  #queued = 0
  #rootsTaken = 0
  /** the root that goes next, if that is known: -1 if none is left */
  #nextRoot: number | undefined

  constructor(states: BlockStates, roots: RootCursor) {
    this.#states = states
    this.#roots = roots
  }

  /** How many there are; of a large task that was partly done at the start, it may be less, but 0 only if there are none. */
  get count(): number {
    const known = this.#queued + this.#roots.countUpTo(this.#rootsTaken + COUNTED_AHEAD) - this.#rootsTaken
    return known > 0 ? known : this.isEmpty ? 0 : 1
  }

  /** Whether `take` would give no block; cheap. */
  get isEmpty(): boolean {
    return this.#queued === 0 && (this.#nextRoot ?? this.#findRoot()) < 0
  }

  /** Removes the block that goes next. @returns its index, -1 if no block is ready */
  take(): number {
    while (this.#queued > 0) {
      const index = this.#queue.shift()
      // Not READY: the block was taken by its index in the meantime.
      if (this.#states.get(index) !== READY) continue
      this.#queued--
      return index
    }
    const root = this.#nextRoot ?? this.#findRoot()
    if (root >= 0) this.#passRoot(root)
    return root
  }

  /** Removes this block. @param isQueued whether its cell is READY; otherwise it is a root */
  takeBlock(index: number, isQueued: boolean): void {
    if (isQueued) this.#queued--
    else this.#passRoot(index)
  }

  /** Adds a block whose cell is READY. */
  enqueue(index: number): void {
    this.#queue.push(index)
    this.#queued++
  }

  /** Forgets the queued blocks. */
  clear(): void {
    this.#queue.clear()
    this.#queued = 0
  }

  /** The next root that was not taken by its index, or -1. */
  #findRoot(): number {
    let root = -1
    if (this.#roots.knownTotal !== this.#rootsTaken) {
      root = this.#roots.peek()
      while (root >= 0 && this.#states.peek(root) !== UNTOUCHED) {
        this.#roots.pass()
        root = this.#roots.peek()
      }
    }
    this.#nextRoot = root
    return root
  }

  #passRoot(root: number): void {
    this.#rootsTaken++
    if (root !== this.#nextRoot) return
    this.#roots.pass()
    this.#nextRoot = undefined
  }
}
