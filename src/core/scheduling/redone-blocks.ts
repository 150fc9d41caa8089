import { isBitSet } from './bitmap.ts'
import { SparseBits } from './sparse-bits.ts'

/** What a task remembers of blocks that were forgotten during the run, and are done again. */
export class RedoneBlocks {
  /** Forgotten while they were running: whatever their outcome is, they are done again. */
  readonly doomed = new Set<number>()
  /** Running blocks that have read, or must not run together with, what was forgotten: they may complete, but not start again at once. */
  readonly unsettled = new Set<number>()
  /** Forgotten blocks that are held back until no such block is running: each waits for one block more. */
  readonly withheld = new Set<number>()
  readonly #doneAtStart: Uint8Array | undefined
  /** Those of them that were forgotten. */
  readonly #forgotten = new SparseBits()
  /** Skipped during the run. */
  readonly #skipped = new SparseBits()

  /** @param doneAtStart a bitmap of the blocks that were done at the start */
  constructor(doneAtStart: Uint8Array | undefined) {
    this.#doneAtStart = doneAtStart
  }

  /** How many running blocks have to end before the withheld ones may start. */
  get running(): number {
    return this.doomed.size + this.unsettled.size
  }

  noteSkipped(index: number): void {
    this.#skipped.add(index)
  }

  /** A completed block is forgotten. @returns whether it counted as skipped */
  forget(index: number): boolean {
    const wasAtStart =
      this.#doneAtStart !== undefined && isBitSet(this.#doneAtStart, index) && !this.#forgotten.has(index)
    if (wasAtStart) this.#forgotten.add(index)
    return this.#skipped.delete(index) || wasAtStart
  }

  /** A running block has ended. @returns what that means for it, if it does not simply have its outcome */
  noteEnd(index: number): 'redo' | 'settle' | undefined {
    if (this.running === 0) return undefined
    if (this.doomed.delete(index)) return 'redo'
    return this.unsettled.delete(index) ? 'settle' : undefined
  }
}
