import fc from 'fast-check'
import type { SchedulerTask } from '../../src/core/scheduling/scheduler-task.ts'
import type { BlockState } from '../../src/core/scheduling/task-run.ts'
import { anyGridOptions, conflict, type ModelBlock, meets, modelBlocks } from './grid-model.ts'

export interface ModelTaskBlock extends ModelBlock {
  readonly task: number
  readonly index: number
}

/**
 * The naive scheduler: every block is an object, every pair is looked at, every state is derived from all others. It writes down
 * the semantics as directly as possible, and is the reference for the real scheduler.
 */
export class ModelScheduler {
  readonly blocks: readonly ModelTaskBlock[]
  readonly states: BlockState[]
  readonly tries: number[]
  readonly skipped: boolean[]
  /** for each block, all blocks that must be completed before it starts */
  readonly waits: readonly (readonly number[])[]
  readonly #tasks: readonly SchedulerTask[]
  readonly #retries: number
  readonly #abandoned = new Set<number>()
  /** Forgotten while they were processing. */
  readonly doomed = new Set<number>()
  /** Forgotten blocks that had started: they wait until nothing is processing that was forgotten, or that waits for such a block. */
  readonly withheld = new Set<number>()
  /** Processing blocks for which the withheld ones wait. */
  readonly awaited = new Set<number>()
  readonly #first: number[] = []

  constructor(tasks: readonly SchedulerTask[], retries: number) {
    this.#tasks = tasks
    this.#retries = retries
    const blocks: ModelTaskBlock[] = []
    for (const [task, options] of tasks.entries()) {
      this.#first.push(blocks.length)
      for (const [index, block] of modelBlocks(options).entries()) blocks.push({ ...block, task, index })
    }
    this.blocks = blocks
    this.waits = blocks.map((block) =>
      blocks.flatMap((other, number) => (other !== block && this.#waitsFor(block, other) ? [number] : [])),
    )
    const isDone = ({ task, index }: ModelTaskBlock) => ((tasks[task]!.done?.[index >> 3] ?? 0) >> (index & 7)) & 1
    this.skipped = blocks.map((block) => isDone(block) === 1)
    this.states = this.skipped.map((skipped) => (skipped ? 'completed' : 'pending'))
    this.tries = blocks.map(() => 0)
    this.#settle()
  }

  number(task: number, index: number): number {
    return this.#first[task]! + index
  }

  /** Whether the semantics forbid two blocks to run at the same time. */
  mayNotRunTogether(a: number, b: number): boolean {
    const [one, other] = [this.blocks[a]!, this.blocks[b]!]
    if (one.task === other.task) return this.#tasks[one.task]!.readWriteConflict !== false && conflict(one, other)
    return this.waits[a]!.includes(b) || this.waits[b]!.includes(a)
  }

  take(number: number): void {
    this.states[number] = 'processing'
  }

  end(number: number, outcome: 'done' | 'skipped' | 'failed' | 'returned'): void {
    const { task } = this.blocks[number]!
    this.awaited.delete(number)
    if (this.doomed.delete(number)) {
      this.tries[number] = 0
      this.states[number] = this.#abandoned.has(task) ? 'orphaned' : 'pending'
    } else if (outcome === 'done' || outcome === 'skipped') {
      this.states[number] = 'completed'
      if (outcome === 'skipped') this.skipped[number] = true
    } else if (this.#abandoned.has(task)) {
      this.states[number] = 'orphaned'
      this.tries[number] = 0
    } else if (outcome === 'failed' && ++this.tries[number]! > (this.#tasks[task]!.maxRetries ?? this.#retries)) {
      this.states[number] = 'failed'
    } else this.states[number] = 'pending'
    this.#settle()
  }

  abandon(task: number): void {
    this.#abandoned.add(task)
    for (const [number, block] of this.blocks.entries()) {
      const state = this.states[number]!
      if (block.task === task && (state === 'pending' || state === 'ready')) this.states[number] = 'orphaned'
    }
    this.#settle()
  }

  /** @returns how many failed blocks there were */
  retry(task?: number): number {
    const isChosen = (number: number) => task === undefined || this.blocks[number]!.task === task
    if (task === undefined) this.#abandoned.clear()
    else this.#abandoned.delete(task)
    let failed = 0
    for (const number of this.states.keys()) {
      if (this.states[number] === 'failed' && isChosen(number)) {
        failed++
        this.tries[number] = 0
        this.states[number] = 'pending'
      }
      if (this.states[number] === 'orphaned' && !this.#abandoned.has(this.blocks[number]!.task))
        this.states[number] = 'pending'
    }
    this.#settle()
    return failed
  }

  /** @returns how many blocks were completed, failed or processing */
  forget(numbers: readonly number[]): number {
    const started = numbers.filter((number) => ['completed', 'failed', 'processing'].includes(this.states[number]!))
    const wasCompleted = new Set(started.filter((number) => this.states[number] === 'completed'))
    for (const number of numbers) if (this.states[number] !== 'processing') this.tries[number] = 0
    for (const number of started) {
      this.withheld.add(number)
      if (this.states[number] === 'processing') {
        this.doomed.add(number)
        this.awaited.add(number)
      } else {
        this.skipped[number] = false
        this.states[number] = this.#abandoned.has(this.blocks[number]!.task) ? 'orphaned' : 'pending'
      }
    }
    for (const [number, state] of this.states.entries()) {
      const waits = this.waits[number]!
      if (state === 'processing' && waits.some((other) => wasCompleted.has(other))) this.awaited.add(number)
      const isOrphaned = state === 'orphaned' && !this.#abandoned.has(this.blocks[number]!.task)
      if (state === 'ready' || isOrphaned) this.states[number] = 'pending'
    }
    this.#settle()
    return started.length
  }

  /** @returns whether the withheld blocks may start */
  releaseForgotten(): boolean {
    if (this.awaited.size > 0) return false
    this.withheld.clear()
    this.#settle()
    return true
  }

  counts(task: number) {
    const mine = this.states.filter((_, number) => this.blocks[number]!.task === task)
    const count = (state: BlockState) => mine.filter((each) => each === state).length
    return {
      id: this.#tasks[task]!.id,
      total: mine.length,
      pending: count('pending'),
      ready: count('ready'),
      processing: count('processing'),
      completed: count('completed'),
      skipped: this.skipped.filter((skipped, number) => skipped && this.blocks[number]!.task === task).length,
      failed: count('failed'),
      orphaned: count('orphaned'),
    }
  }

  #waitsFor(block: ModelTaskBlock, other: ModelTaskBlock): boolean {
    const task = this.#tasks[block.task]!
    if (block.task === other.task)
      return task.readWriteConflict !== false && other.level < block.level && conflict(block, other)
    const before = (task.after ?? []).map((each) => (typeof each === 'string' ? each : each.id))
    return before.includes(this.#tasks[other.task]!.id) && meets(other.write, block.read)
  }

  /** Makes pending blocks ready or orphaned until nothing changes any more. */
  #settle(): void {
    for (let changed = true; changed; ) {
      changed = false
      for (const [number, waits] of this.waits.entries()) {
        if (this.states[number] !== 'pending') continue
        const lost = waits.some((other) => this.states[other] === 'failed' || this.states[other] === 'orphaned')
        if (lost) this.states[number] = 'orphaned'
        else if (!this.withheld.has(number) && waits.every((other) => this.states[other] === 'completed'))
          this.states[number] = 'ready'
        else continue
        changed = true
      }
    }
  }
}

const bitmapOf = (count: number): fc.Arbitrary<Uint8Array> =>
  fc
    .oneof(
      fc.array(fc.boolean(), { minLength: count, maxLength: count }),
      fc.constant(Array<boolean>(count).fill(true)),
      fc.nat({ max: count }).map((done) => Array.from({ length: count }, (_, index) => index < done)),
    )
    .map((bits) => {
      const bitmap = new Uint8Array(Math.ceil(count / 8))
      for (const [index, bit] of bits.entries()) if (bit) bitmap[index >> 3]! |= 1 << (index & 7)
      return bitmap
    })

const names = ['raw', 'once', 'twice', 'labels']

/** The maximum number of blocks per axis, by rank: every step of a run is compared with the model block by block. */
const mostPerAxis = [0, 7, 4, 3, 2, 2, 2]

/** A pipeline of one to four tasks of one rank from 1 to 6 (at most two from rank 5 on, of up to 64 blocks each), with any edges from earlier to later tasks and any grids, some of them partly done. */
export const anyPipeline = (options: { done?: boolean; conflicts?: boolean } = {}): fc.Arbitrary<SchedulerTask[]> =>
  fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }))
    .chain(([rank, count]) =>
      fc.tuple(
        ...Array.from({ length: rank < 5 ? count : Math.min(count, 2) }, (_, number) =>
          anyGridOptions(rank, undefined, mostPerAxis[rank]!).chain(({ rank: _rank, ...grid }) =>
            fc.record({
              id: fc.constant(names[number]!),
              grid: fc.constant(
                options.conflicts === undefined ? grid : { ...grid, readWriteConflict: options.conflicts },
              ),
              after: fc.subarray(names.slice(0, number)),
              maxRetries: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
              done: fc.option(bitmapOf(modelBlocks(grid).length), { nil: undefined, freq: 2 }),
            }),
          ),
        ),
      ),
    )
    .map((tasks) =>
      tasks.map(({ id, grid, after, maxRetries, done }) => ({
        id,
        ...grid,
        after,
        ...(maxRetries === undefined ? {} : { maxRetries }),
        ...(done === undefined || options.done === false ? {} : { done }),
      })),
    )
