import { InfrastructureError, messageOf } from '../../core/errors.ts'
import { bitmapBytes, PAGE_BLOCKS, pageOf, placePage } from '../../core/progress/bitmap-pages.ts'
import { countSetBits, isBitSet } from '../../core/scheduling/bitmap.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FailedTry, ProgressBatch, RunReader, RunRecord } from '../../ports/progress-store.ts'

/** Writes that keep this thread from its other work have a share of its time: each is paid with so many times as long without one. */
const REST = 4
/** So much rest may be owed before a write waits for it. */
const CREDIT_MS = 400

/**
 * The bitmap of a task's finished blocks, as a record has it: bit i % 8 (lowest first) of byte floor(i / 8) is block i.
 * @throws InfrastructureError `CORRUPT_DATA`
 */
export async function readCompleted(reader: RunReader, task: number): Promise<Uint8Array> {
  const { blockCount = 0 } = reader.identity.tasks[task] ?? {}
  const bitmap = new Uint8Array(bitmapBytes(blockCount))
  for await (const { page, bits } of reader.completedPages(task)) placePage(bitmap, blockCount, page, bits)
  return bitmap
}

/**
 * The blocks of a task that failed: their last try was final, and they were not completed since.
 * @param completed what `readCompleted` gives
 * @param limit how many to give the last try of, in the order in which they failed; all are counted
 */
export async function readFailedBlocks(
  reader: RunReader,
  task: number,
  completed: Uint8Array,
  limit = 100,
): Promise<{ readonly blocks: readonly number[]; readonly lastTries: readonly FailedTry[] }> {
  // The place of each one's last try among all tries; the tries themselves may be too many to hold.
  const places = new Map<number, number>()
  let place = 0
  for await (const { block, isFinal } of reader.failedTries(task)) {
    places.delete(block)
    if (isFinal && !isBitSet(completed, block)) places.set(block, place)
    place++
  }
  const wanted = new Set([...places.values()].slice(0, limit))
  const lastTries: FailedTry[] = []
  place = 0
  for await (const failed of reader.failedTries(task)) {
    if (lastTries.length === wanted.size) break
    if (wanted.has(place++)) lastTries.push(failed)
  }
  return { blocks: [...places.keys()], lastTries }
}

export interface RecorderOptions {
  readonly clock: Clock
  /** Told once, when a write fails that nobody waits for; what was recorded is kept for the next `flush`. */
  readonly onError: (error: InfrastructureError) => void
}

/**
 * Writes down what a run records, at once: with a store that writes before it returns, as SQLite does, a block is on record
 * before its worker gets another one. What comes while a write is under way goes with the next. Holds one bit per block.
 */
export class ProgressRecorder implements AsyncDisposable {
  readonly #record: RunRecord
  readonly #options: RecorderOptions
  readonly #bitmaps: readonly Uint8Array[]
  readonly #dirtyPages: readonly Set<number>[]
  readonly #giveUp = new AbortController()
  #failedTries: FailedTry[] = []
  #writing: Promise<void> = Promise.resolve()
  /** Writes that are not over yet; one after the other. */
  #underWay = 0
  #restUntil = Number.NEGATIVE_INFINITY
  #cancelTimer: (() => void) | undefined
  #hasFailed = false

  private constructor(record: RunRecord, bitmaps: readonly Uint8Array[], options: RecorderOptions) {
    this.#record = record
    this.#options = options
    this.#bitmaps = bitmaps
    this.#dirtyPages = bitmaps.map(() => new Set<number>())
  }

  /** Reads what the record has. @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`, `CONNECTION_LOST` */
  static async load(record: RunRecord, options: RecorderOptions): Promise<ProgressRecorder> {
    const bitmaps: Uint8Array[] = []
    for (const task of record.identity.tasks.keys()) bitmaps.push(await readCompleted(record, task))
    return new ProgressRecorder(record, bitmaps, options)
  }

  /** The finished blocks of a task, as `SchedulerTask.done` wants them; the recorder's own: not to be changed. */
  completed(task: number): Uint8Array {
    return this.#bitmaps[task] as Uint8Array
  }

  completedCount(task: number): number {
    return countSetBits(this.completed(task), this.#record.identity.tasks[task]?.blockCount ?? 0)
  }

  /** These blocks' output is on the file system. */
  recordCompleted(task: number, blocks: readonly number[]): void {
    const bitmap = this.#bitmaps[task] as Uint8Array
    const dirty = this.#dirtyPages[task] as Set<number>
    let page = -1
    for (let at = 0; at < blocks.length; at++) {
      const block = blocks[at] as number
      bitmap[Math.floor(block / 8)]! |= 1 << (block & 7)
      const itsPage = Math.floor(block / PAGE_BLOCKS)
      if (itsPage === page) continue
      page = itsPage
      dirty.add(page)
    }
    this.#expectCommit()
  }

  recordFailure(failed: FailedTry): void {
    this.#failedTries.push(failed)
    this.#expectCommit()
  }

  /**
   * Resolves when all that was recorded before is durable.
   * @param options `signal` ends waiting for a lost server, for this and every later write
   * @throws InfrastructureError as `RunRecord.commit`
   */
  flush(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options
    const giveUp = () => this.#giveUp.abort()
    if (signal?.aborted === true) giveUp()
    signal?.addEventListener('abort', giveUp)
    return this.#commit().finally(() => signal?.removeEventListener('abort', giveUp))
  }

  /** Writes what is left, if that can be done at once; to know whether it could, `flush` before. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#giveUp.abort()
    await this.#commit().catch(() => {})
  }

  #expectCommit(): void {
    if (this.#underWay > 0 || this.#cancelTimer !== undefined) return
    const { clock } = this.#options
    const rest = this.#restUntil - clock.now() - CREDIT_MS
    if (rest <= 0) this.#commitUnasked()
    else this.#cancelTimer = clock.after(rest, () => this.#commitUnasked())
  }

  #commitUnasked(): void {
    this.#commit().catch((error: InfrastructureError) => {
      if (this.#hasFailed) return
      this.#hasFailed = true
      this.#options.onError(error)
    })
  }

  /** One write at a time, in order; the first one begins before this returns. */
  #commit(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    const isFirst = this.#underWay++ === 0
    const written = isFirst ? this.#write() : this.#writing.then(() => this.#write())
    const over = () => {
      this.#underWay--
    }
    this.#writing = written.then(
      () => {
        over()
        if (this.#hasUnwritten()) this.#expectCommit()
      },
      // What could not be written waits for what is recorded next, or for a flush.
      over,
    )
    return written
  }

  #hasUnwritten(): boolean {
    return this.#failedTries.length > 0 || this.#dirtyPages.some(({ size }) => size > 0)
  }

  async #write(): Promise<void> {
    if (!this.#hasUnwritten()) return
    const { clock } = this.#options
    const failedTries = this.#failedTries
    const pages = this.#dirtyPages.flatMap((dirty, task) =>
      Array.from(dirty, (page) => ({ task, page, bits: pageOf(this.completed(task), page) })),
    )
    const batch: ProgressBatch = { pages, failedTries }
    this.#failedTries = []
    for (const dirty of this.#dirtyPages) dirty.clear()
    const begun = clock.now()
    try {
      const written = this.#record.commit(batch, { signal: this.#giveUp.signal })
      const now = clock.now()
      this.#restUntil = Math.max(now, this.#restUntil) + REST * (now - begun)
      await written
    } catch (error) {
      // All of it is written again: a batch may be committed twice.
      this.#failedTries = [...failedTries, ...this.#failedTries]
      for (const { task, page } of pages) this.#dirtyPages[task]?.add(page)
      if (error instanceof InfrastructureError) throw error
      throw new InfrastructureError('IO_ERROR', `The progress could not be written: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }
}
