import { InfrastructureError, messageOf } from '../../core/errors.ts'
import { bitmapBytes, PAGE_BLOCKS, pageOf, placePage } from '../../core/progress/bitmap-pages.ts'
import type { Lineage } from '../../core/progress/lineage.ts'
import { countSetBits, isBitSet } from '../../core/scheduling/bitmap.ts'
import type { Clock } from '../../ports/clock.ts'
import type { FailedAttempt, ProgressBatch, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { recordedAttempts } from './recorded-attempts.ts'

/** Writes that block this thread get only a share of its time, 2 %: after each write, the recorder rests this many times as long. */
const REST = 49
/** After slow writes this is enough, since more would be lost if the coordinator is killed. */
const LEAST_REST = 19
const MOST_REST_MS = 500
/** Writes are delayed only when more rest than this is owed. */
const CREDIT_MS = 2000

/**
 * The bitmap of a task's finished blocks, as stored in a record: bit i % 8 (lowest first) of byte floor(i / 8) is block i.
 * @throws InfrastructureError `CORRUPT_DATA`
 */
export async function readCompleted(reader: RunReader, task: number): Promise<Uint8Array> {
  const { blockCount = 0 } = reader.identity.tasks[task] ?? {}
  const bitmap = newBitmap(blockCount)
  for await (const { page, bits } of reader.completedPages(task)) placePage(bitmap, blockCount, page, bits)
  return bitmap
}

function newBitmap(blockCount: number): Uint8Array {
  try {
    return new Uint8Array(bitmapBytes(blockCount))
  } catch (cause) {
    throw new InfrastructureError(
      'IO_ERROR',
      `The record has a task of ${blockCount} blocks, whose states do not fit into memory; use a machine with more, or start again with larger blocks and --overwrite.`,
      { cause },
    )
  }
}

/**
 * The blocks of a task that failed: their last attempt was final, and they have not been completed since.
 * @param completed as returned by `readCompleted`
 * @param limit for how many blocks to return the last attempt, in the order in which they failed; `blocks` has all of them
 */
export async function readFailedBlocks(
  reader: RunReader,
  task: number,
  completed: Uint8Array,
  limit = 100,
): Promise<{ readonly blocks: readonly number[]; readonly lastAttempts: readonly FailedAttempt[] }> {
  // The position of each block's last attempt among all attempts, which may be too many to keep in memory.
  const places = new Map<number, number>()
  let place = 0
  for await (const { block, isFinal } of recordedAttempts(reader, task)) {
    places.delete(block)
    if (isFinal && !isBitSet(completed, block)) places.set(block, place)
    place++
  }
  const wanted = new Set([...places.values()].slice(0, limit))
  const lastAttempts: FailedAttempt[] = []
  place = 0
  for await (const failed of recordedAttempts(reader, task)) {
    if (lastAttempts.length === wanted.size) break
    if (wanted.has(place++)) lastAttempts.push(failed)
  }
  return { blocks: [...places.keys()], lastAttempts }
}

const restAfter = (ms: number): number => Math.max(LEAST_REST * ms, Math.min(REST * ms, MOST_REST_MS))

export interface RecorderOptions {
  readonly clock: Clock
  /** Called once, when a write fails for which no caller waits. Its contents are kept for the next `flush`. */
  readonly onError: (error: InfrastructureError) => void
}

/**
 * Writes what a run records, immediately: with a store that writes synchronously, such as SQLite, a block is recorded before its
 * worker gets the next one. What is recorded during a write is written with the next. Keeps one bit per block in memory.
 */
export class ProgressRecorder implements AsyncDisposable {
  readonly #record: RunRecord
  readonly #options: RecorderOptions
  readonly #bitmaps: readonly Uint8Array[]
  readonly #dirtyPages: readonly Set<number>[]
  readonly #giveUp = new AbortController()
  #failedAttempts: FailedAttempt[] = []
  #writing: Promise<void> = Promise.resolve()
  /** Writes that have not finished; they run one after the other. */
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

  /** Reads the record. @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`, `CONNECTION_LOST` */
  static async load(record: RunRecord, options: RecorderOptions): Promise<ProgressRecorder> {
    const bitmaps: Uint8Array[] = []
    for (const task of record.identity.tasks.keys()) bitmaps.push(await readCompleted(record, task))
    return new ProgressRecorder(record, bitmaps, options)
  }

  /** The finished blocks of a task, as a bitmap for `SchedulerTask.done`. It belongs to the recorder: do not change it. */
  completed(task: number): Uint8Array {
    return this.#bitmaps[task] as Uint8Array
  }

  completedCount(task: number): number {
    return countSetBits(this.completed(task), this.#record.identity.tasks[task]?.blockCount ?? 0)
  }

  /** The output of these blocks has been written. */
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

  recordFailure(failed: FailedAttempt): void {
    this.#failedAttempts.push(failed)
    this.#expectCommit()
  }

  /**
   * Blocks are done again: forgets that they were done, and their failed attempts, before anything else is recorded of them.
   * @param blocks undefined: all blocks of the task
   * @returns resolves when they are forgotten, in the order of the calls; a failure is reported in any case
   */
  forget(task: number, blocks: ReadonlySet<number> | undefined): Promise<void> {
    const bitmap = this.#bitmaps[task] as Uint8Array
    if (blocks === undefined) bitmap.fill(0)
    else for (const block of blocks) bitmap[Math.floor(block / 8)]! &= ~(1 << (block & 7))
    const isKept = (failed: FailedAttempt) => failed.task !== task || blocks?.has(failed.block) === false
    this.#failedAttempts = this.#failedAttempts.filter(isKept)
    const forgotten = this.#enqueue(() => this.#record.clear(task, blocks))
    this.#guard(forgotten)
    return forgotten
  }

  /**
   * Resolves when everything recorded so far is durable.
   * @param options `signal` stops waiting for an unreachable server, for this and every later write
   * @throws InfrastructureError as `RunRecord.commit`
   */
  flush(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = options
    const giveUp = () => this.#giveUp.abort()
    if (signal?.aborted === true) giveUp()
    signal?.addEventListener('abort', giveUp)
    return this.#commit().finally(() => signal?.removeEventListener('abort', giveUp))
  }

  /**
   * Resolves when everything recorded so far is on the disk itself, so that a power cut can't take it back.
   * @throws InfrastructureError as `RunRecord.commit`
   */
  async sync(): Promise<void> {
    await this.flush()
    await this.#record.sync({ signal: this.#giveUp.signal })
  }

  /**
   * The record is in another state from now on. Resolves when that, and everything recorded so far, is on the disk itself.
   * @throws InfrastructureError as `RunRecord.commit`
   */
  async continueAs(lineage: Lineage): Promise<void> {
    await this.flush()
    await this.#record.continueAs(lineage, { signal: this.#giveUp.signal })
  }

  /** Writes what remains, if that is possible without waiting. To learn of failures, call `flush` first. */
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
    this.#guard(this.#commit())
  }

  #guard(written: Promise<void>): void {
    written.catch((error: InfrastructureError) => {
      if (this.#hasFailed) return
      this.#hasFailed = true
      this.#options.onError(error)
    })
  }

  #commit(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    return this.#enqueue(() => this.#write())
  }

  /** One write at a time, in order; the first one starts before this returns. */
  #enqueue(write: () => Promise<void>): Promise<void> {
    const isFirst = this.#underWay++ === 0
    const written = isFirst ? write() : this.#writing.then(write)
    const finish = () => {
      this.#underWay--
    }
    this.#writing = written.then(
      () => {
        finish()
        if (this.#hasUnwritten()) this.#expectCommit()
      },
      // What could not be written is written with the next record, or by a flush.
      finish,
    )
    return written
  }

  #hasUnwritten(): boolean {
    return this.#failedAttempts.length > 0 || this.#dirtyPages.some(({ size }) => size > 0)
  }

  async #write(): Promise<void> {
    if (!this.#hasUnwritten()) return
    const { clock } = this.#options
    const failedAttempts = this.#failedAttempts
    const pages = this.#dirtyPages.flatMap((dirty, task) =>
      Array.from(dirty, (page) => ({ task, page, bits: pageOf(this.completed(task), page) })),
    )
    const batch: ProgressBatch = { pages, failedAttempts }
    this.#failedAttempts = []
    for (const dirty of this.#dirtyPages) dirty.clear()
    const startedAt = clock.now()
    try {
      const written = this.#record.commit(batch, { signal: this.#giveUp.signal })
      const now = clock.now()
      this.#restUntil = Math.max(now, this.#restUntil) + restAfter(now - startedAt)
      await written
    } catch (error) {
      // The complete batch is written again: a store accepts the same batch twice.
      this.#failedAttempts = [...failedAttempts, ...this.#failedAttempts]
      for (const { task, page } of pages) this.#dirtyPages[task]?.add(page)
      if (error instanceof InfrastructureError) throw error
      throw new InfrastructureError('IO_ERROR', `The progress of the run could not be written: ${messageOf(error)}`, {
        cause: error,
      })
    }
  }
}
