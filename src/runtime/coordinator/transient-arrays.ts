import { messageOf } from '../../core/errors.ts'
import { containsRoi, intersectRoi, meetsRoi, type Roi } from '../../core/geometry/roi.ts'
import { cellsOf } from '../../core/grid/grid-cells.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'
import { storedBox } from '../volumes/channels-first.ts'
import { elementBox, storageShape, type VolumeDescription } from '../volumes/volume-array.ts'
import type { RunningPipeline } from './running-pipeline.ts'
import type { RunningTask } from './workers/pool.ts'

/** Chunks that are no longer needed are removed together, after this time at the latest. */
const REMOVE_MS = 100
/** As soon as this many blocks are no longer needed, their chunks are removed. */
const REMOVE_COUNT = 64

/**
 * Removes the chunks of transient arrays that are no longer needed: all blocks that read them are done, and recorded as done, so
 * that no later start of the run reads them again.
 */
export class TransientArrays {
  readonly #run: RunningPipeline
  readonly #tasks: readonly RunningTask[]
  readonly #opened = new Map<string, Promise<ChunkedArray>>()
  readonly #unneeded = new Map<RunningTask, number[]>()
  #count = 0
  #removing: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined
  #hasFailed = false

  constructor(run: RunningPipeline) {
    this.#run = run
    this.#tasks = run.tasks.filter(({ planned }) => planned.isTransient)
  }

  /** Collects the blocks that have become unneeded. */
  collect(): void {
    for (const task of this.#tasks) {
      const indices = this.#run.scheduler.task(task.number).retention?.takeUnneeded() ?? []
      if (indices.length === 0) continue
      this.#count += indices.length
      this.#unneeded.set(task, [...(this.#unneeded.get(task) ?? []), ...indices])
    }
    if (this.#count >= REMOVE_COUNT) this.#removeSoon()
    else if (this.#count > 0) this.#cancelTimer ??= this.#run.options.clock.after(REMOVE_MS, () => this.#removeSoon())
  }

  /**
   * Blocks were forgotten, so that their chunks are needed again.
   * @returns resolves when no chunk is being removed that was not needed before; never rejects
   */
  forget(): Promise<void> {
    for (const [task, indices] of this.#unneeded) {
      const { retention } = this.#run.scheduler.task(task.number)
      const left = indices.filter((index) => retention?.isUnneeded(index))
      this.#count -= indices.length - left.length
      this.#unneeded.set(task, left)
    }
    return this.#removing
  }

  /** Removes the remaining chunks and, if all blocks are done, those that an earlier start left behind. Never rejects. */
  async finish(): Promise<void> {
    this.#removeSoon()
    await this.#removing
    const isDone = this.#run.tasks.every((task) => {
      const { completed, total, masked = 0 } = this.#run.scheduler.task(task.number).counts()
      return completed - masked === total
    })
    const mayBeRead = this.#run.strayReads.length > 0
    if (mayBeRead && this.#tasks.length > 0) this.#warn('a worker whose connection was lost may still read them')
    if (isDone && !this.#hasFailed && !mayBeRead) await this.#guard(() => this.#removeRest())
    for (const opened of this.#opened.values()) await (await opened.catch(() => undefined))?.[Symbol.asyncDispose]()
  }

  /** Nothing is said in arrays that have nothing left: a start with nothing to do writes nothing. */
  async #removeRest(): Promise<void> {
    await this.#run.options.progress?.recorder.sync()
    for (const array of this.#tasks.flatMap(({ planned }) => planned.writes)) {
      const stored = await this.#open(array)
      if ((await stored.countStoredChunks?.({ limit: 1 }))?.stored === 0) continue
      await this.#noteRemoval()
      await stored.removeChunks?.({ offset: stored.shape.map(() => 0), shape: stored.shape })
    }
  }

  #removeSoon(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const unneeded = [...this.#unneeded]
    this.#unneeded.clear()
    this.#count = 0
    if (unneeded.length === 0) return
    this.#removing = this.#removing.then(() =>
      this.#guard(async () => {
        await this.#noteRemoval()
        for (const [task, indices] of unneeded) for (const index of indices) await this.#remove(task, index)
      }),
    )
  }

  /** After a crash, even one of the machine, the next start must know that the blocks that read these chunks are done. */
  async #noteRemoval(): Promise<void> {
    const { recorder, lineage } = this.#run.options.progress ?? {}
    await (lineage?.noteRemoval() ?? recorder?.sync())
  }

  /** If removing fails, the chunks stay and the run continues. */
  async #guard(remove: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) return
    try {
      await remove()
    } catch (error) {
      this.#hasFailed = true
      this.#warn(messageOf(error))
    }
  }

  #warn(reason: string): void {
    const message = `transient chunks could not be removed and stay on disk: ${reason}`
    this.#run.events.emit({ type: 'warning', message })
  }

  /** Removes the chunks (shards) that only this block, or other unneeded blocks, have written. */
  async #remove(task: RunningTask, index: number): Promise<void> {
    const { grid, writes } = task.planned
    const { writeRoi } = grid.block(index)
    for (const array of writes) {
      for (const piece of piecesOf(array, writeRoi)) {
        if (!containsRoi(writeRoi, piece) && !this.#isAllUnneeded(task, piece)) continue
        // A lost worker may still be reading it, and write output that depends on it.
        if (this.#run.strayReads.some((region) => meetsRoi(region, piece))) continue
        const box = elementBox(piece, array.offset, array.voxelSize, array.shape.slice(0, array.channelAxes))
        if (box === undefined) continue
        const stored = await this.#open(array)
        await stored.removeChunks?.(storedBox(stored, box))
      }
    }
  }

  #isAllUnneeded({ number, planned: { grid } }: RunningTask, region: Roi): boolean {
    const { retention } = this.#run.scheduler.task(number)
    for (const other of grid.indicesOf(grid.blockBox(region))) {
      if (!retention?.isUnneeded(other)) return false
    }
    return true
  }

  #open({ path }: VolumeDescription): Promise<ChunkedArray> {
    const opened = this.#opened.get(path) ?? (this.#run.options.arrays as ArrayStore).open(path, { mode: 'r+' })
    this.#opened.set(path, opened)
    return opened
  }

  [Symbol.dispose](): void {
    this.#cancelTimer?.()
  }
}

/** The chunks (shards) of an array that intersect a region, clipped to the array, in world units. */
function* piecesOf(array: VolumeDescription, region: Roi): Generator<Roi> {
  const inside = intersectRoi(region, array.roi)
  for (const chunk of cellsOf(inside, array.offset, storageShape(array))) yield intersectRoi(chunk, array.roi)
}
