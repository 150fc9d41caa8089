import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { boxesBehind } from '../../../src/core/control/forgotten-region.ts'
import { type Roi, roi } from '../../../src/core/geometry/roi.ts'
import type { BlockOutcome } from '../../../src/core/scheduling/block-scheduler.ts'
import { orderTasks } from '../../../src/core/scheduling/pipeline.ts'
import { createScheduler, type ScheduledBlock, type Scheduler } from '../../../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../../../src/core/scheduling/scheduler-task.ts'
import { doneOrUnneeded } from '../../../src/core/scheduling/unneeded.ts'
import { anyPipeline, ModelScheduler } from '../../support/scheduling-model.ts'

const anyDecisions = fc.array(fc.nat({ max: 0xffff }), { minLength: 40, maxLength: 120 })

/** The scheduler, and a reference that answers the same questions by looking at every pair of blocks. */
class Watched {
  readonly real: Scheduler
  readonly model: ModelScheduler
  readonly tasks: readonly SchedulerTask[]
  /** for each block, all blocks that wait for it */
  readonly readers: readonly (readonly number[])[]
  readonly held: ScheduledBlock[] = []
  readonly unneeded = new Set<number>()
  /** whether, when no block was leased last, no task could continue within its limit */
  wasStuck = false
  beyond = 0

  constructor(tasks: readonly SchedulerTask[], maxRetries: number) {
    this.tasks = tasks
    this.real = createScheduler(tasks, { maxRetries })
    this.model = new ModelScheduler(tasks, maxRetries)
    const readers: number[][] = this.model.blocks.map(() => [])
    for (const [number, waits] of this.model.waits.entries()) for (const other of waits) readers[other]!.push(number)
    this.readers = readers
    this.check()
  }

  state(number: number) {
    const { task, index } = this.model.blocks[number]!
    return this.real.blockState(this.tasks[task]!.id, index)
  }

  isAwaited(number: number): boolean {
    return this.readers[number]!.some((reader) => ['pending', 'ready', 'processing'].includes(this.state(reader)))
  }

  heldCount(task: number): number {
    const startedStates = ['processing', 'completed', 'failed']
    return this.model.blocks.filter((block, number) => {
      return block.task === task && startedStates.includes(this.state(number)) && this.isAwaited(number)
    }).length
  }

  canGoOn(task: number): boolean {
    const { maxAhead = Number.POSITIVE_INFINITY } = this.tasks[task]!
    const hasReady = this.model.blocks.some((block, number) => block.task === task && this.state(number) === 'ready')
    return hasReady && this.heldCount(task) < maxAhead
  }

  check(): void {
    for (const [number, task] of this.tasks.entries()) {
      if (task.maxAhead !== undefined || task.transient) {
        assert.equal(this.real.heldCount(task.id), this.heldCount(number), `held of ${task.id}`)
      }
      for (const index of this.real.takeUnneeded(task.id)) {
        const block = this.model.number(number, index)
        assert.ok(task.transient && !this.unneeded.has(block))
        assert.ok(this.isUnneeded(block), `block ${task.id}/${index} is still needed`)
        this.unneeded.add(block)
      }
      assert.ok(this.real.readyCount(task.id) <= this.real.taskState(task.id).ready)
    }
    if (this.held.length === 0) this.wasStuck = !this.tasks.some((_, number) => this.canGoOn(number))
  }

  isUnneeded(number: number): boolean {
    const isCompleted = (each: number) => this.state(each) === 'completed'
    return isCompleted(number) && this.readers[number]!.every(isCompleted)
  }

  acquire(max: number): number {
    const before = this.tasks.map((_, number) => this.heldCount(number))
    const blocks = this.real.acquire(undefined, max)
    this.held.push(...blocks)
    const number = this.tasks.findIndex(({ id }) => id === blocks[0]?.taskId)
    const { maxAhead } = this.tasks[number] ?? {}
    if (maxAhead !== undefined && this.heldCount(number) > Math.max(maxAhead, before[number]!)) {
      assert.ok(this.wasStuck, 'a limit was exceeded although some task could continue')
      this.beyond++
    }
    return blocks.length
  }

  /** Blocks of a region are done again, and those that depend on them. */
  forget(region: Roi): void {
    const chain = this.tasks.map(({ id, after = [] }) => ({
      grid: this.real.taskGrid(id),
      after: after.map((before) => this.tasks.findIndex((task) => task.id === before || task === before)),
      region,
      isTransient: true,
    }))
    const boxes = boxesBehind(chain)
    this.real.forget(Object.fromEntries(this.tasks.map(({ id }, number) => [id, boxes[number] ?? []])))
    for (const number of this.unneeded) if (!this.isUnneeded(number)) this.unneeded.delete(number)
  }

  release(at: number, outcome: BlockOutcome): void {
    this.real.release(this.held.splice(at, 1)[0]!, outcome)
  }
}

/** Does all blocks, in the order and with the outcomes that the decisions give. */
function runAll(
  watched: Watched,
  decisions: readonly number[],
  outcomes: readonly BlockOutcome[],
  abandonAt = -1,
  resets: readonly { readonly at: number; readonly region: Roi }[] = [],
): void {
  for (let step = 0; ; step++) {
    for (const { at, region } of resets) if (at === step) watched.forget(region)
    const isClear = watched.real.releaseForgotten()
    assert.ok(isClear || watched.held.length > 0, 'forgotten blocks wait for nothing')
    const decision = Math.imul(decisions[step % decisions.length]! + step, 0x9e3779b1) >>> 0
    if (step === abandonAt) watched.real.abandon(watched.tasks[decision % watched.tasks.length]!.id)
    else if (watched.held.length === 0 || (decision & 3) !== 0) {
      const taken = watched.acquire(1 + ((decision >>> 2) & 3))
      if (taken === 0 && watched.held.length === 0) break
      if (taken === 0) watched.release(decision % watched.held.length, outcomes[(decision >>> 5) % outcomes.length]!)
    } else watched.release(decision % watched.held.length, outcomes[(decision >>> 5) % outcomes.length]!)
    watched.check()
  }
  assert.ok(watched.real.isFinished(), 'no block is leased, none is ready, and the run is not over')
}

/** The tasks with limits: as given if that suffices, otherwise the minimum. */
function withLimits(tasks: readonly SchedulerTask[], limits: readonly (number | undefined)[]): SchedulerTask[] {
  const limited = tasks.map((task, number) => {
    const maxAhead = limits[number % limits.length]
    return maxAhead === undefined ? task : { ...task, maxAhead }
  })
  for (;;) {
    try {
      createScheduler(limited)
      return limited
    } catch (error) {
      const [, id, least] =
        /^Task "(.*?)": maxAhead is .* set it to at least (\d+)/.exec((error as Error).message) ?? []
      assert.ok(least !== undefined, String(error))
      const place = limited.findIndex((task) => task.id === id)
      limited[place] = { ...limited[place]!, maxAhead: Number(least) }
    }
  }
}

const anyLimits = fc.array(fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined, freq: 4 }), {
  minLength: 1,
  maxLength: 4,
})

describe('a task with a limited lead', () => {
  it('never blocks a run, and exceeds its limit only if nothing else can continue, in any pipeline', () => {
    let beyond = 0
    fc.assert(
      fc.property(anyPipeline(), anyLimits, anyDecisions, fc.nat(40), (tasks, limits, decisions, abandonAt) => {
        const watched = new Watched(withLimits(tasks, limits), 1)
        runAll(watched, decisions, ['done', 'done', 'done', 'done', 'skipped', 'returned', 'failed'], abandonAt)
        beyond += watched.beyond
      }),
      { numRuns: 400 },
    )
    assert.ok(beyond > 0, 'no limit was ever too small')
  })

  it('is refused if its limit is smaller than what one block needs', () => {
    const grid = { totalRoi: { offset: [-1, -1], shape: [12, 12] }, writeRoi: { offset: [0, 0], shape: [1, 1] } }
    const up = { id: 'up', ...grid, readRoi: grid.writeRoi, maxAhead: 8 }
    const down = { id: 'down', ...grid, readRoi: { offset: [-1, -1], shape: [3, 3] }, readWriteConflict: false }
    assert.throws(() => createScheduler([up, { ...down, after: [up] }]), {
      code: 'INVALID_CONFIG',
      message: 'Task "up": maxAhead is 8 blocks, but a block of "down" needs 9 at once; set it to at least 9.',
    })
    createScheduler([
      { ...up, maxAhead: 9 },
      { ...down, after: ['up'] },
    ])
    assert.throws(() => createScheduler([{ ...up, maxAhead: 0 }]), /maxAhead is 0; expected a whole number from 1/)
  })

  it('keeps its limit if the tasks after it are slow, in any order of its blocks', () => {
    const shape = [24, 24, 24]
    const write = { offset: [0, 0, 0], shape: [1, 1, 1] }
    const grid = { totalRoi: { offset: [0, 0, 0], shape }, writeRoi: write, readRoi: write, readWriteConflict: false }
    const tasks = [
      { id: 'up', ...grid, maxAhead: 2500 },
      {
        id: 'down',
        ...grid,
        totalRoi: { offset: [-1, -1, -1], shape: [26, 26, 26] },
        readRoi: { offset: [-1, -1, -1], shape: [3, 3, 3] },
        after: ['up'],
      },
    ]
    const scheduler = createScheduler(tasks)
    let most = 0
    while (!scheduler.isFinished()) {
      // Many workers upstream, one downstream.
      const up = scheduler.acquire('up', 50)
      most = Math.max(most, scheduler.heldCount('up'))
      const down = scheduler.acquire('down', 1)
      scheduler.release([...up, ...down], 'done')
    }
    assert.ok(most === 2500, `${most} blocks were kept`)
  })
})

/** What was wanted to avoid a deadlock was no longer, since another task could continue by then. */
const WANTED_BEFORE: [SchedulerTask[], number[], number[]] = [
  [
    {
      id: 'raw',
      fit: 'valid',
      readWriteConflict: true,
      totalRoi: { offset: [0, 0, 0], shape: [1, 3, 5] },
      readRoi: { offset: [0, 0, 0], shape: [1, 1, 3] },
      writeRoi: { offset: [0, 0, 2], shape: [1, 1, 1] },
      after: [],
    },
    {
      id: 'once',
      fit: 'overhang',
      readWriteConflict: true,
      totalRoi: { offset: [9, 0, 11], shape: [5, 4, 6] },
      readRoi: { offset: [0, 0, 0], shape: [4, 3, 3] },
      writeRoi: { offset: [0, 1, 0], shape: [4, 1, 2] },
      after: [],
    },
    {
      id: 'twice',
      fit: 'valid',
      readWriteConflict: false,
      totalRoi: { offset: [0, 0, 0], shape: [2, 3, 1] },
      readRoi: { offset: [0, 0, 0], shape: [1, 1, 1] },
      writeRoi: { offset: [0, 0, 0], shape: [1, 1, 1] },
      after: [],
    },
    {
      id: 'labels',
      fit: 'shrink',
      readWriteConflict: true,
      totalRoi: { offset: [4, -5, 14], shape: [12, 11, 8] },
      readRoi: { offset: [8, 3, 9], shape: [9, 9, 3] },
      writeRoi: { offset: [9, 7, 10], shape: [4, 1, 2] },
      after: ['once'],
    },
  ],
  [1],
  [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8155, 43752, 0, 0, 0, 0, 0, 0, 248, 0, 0, 5712, 0, 811, 59574,
    50746, 16197, 2820, 25941, 10242, 4437, 0, 0, 14013,
  ],
]

describe('a transient task', () => {
  it('has as unneeded blocks exactly those that are completed, and on which only completed blocks depend', () => {
    fc.assert(
      fc.property(anyPipeline({ done: false }), anyLimits, anyDecisions, (tasks, limits, decisions) => {
        const transient = withLimits(
          tasks.map((task) => ({ ...task, transient: true })),
          limits,
        )
        const watched = new Watched(transient, 1)
        runAll(watched, decisions, ['done', 'done', 'done', 'done', 'done', 'skipped', 'returned', 'failed'])
        for (const number of watched.readers.keys()) {
          assert.equal(watched.unneeded.has(number), watched.isUnneeded(number), 'what is not needed was not said')
        }
      }),
      { numRuns: 200, examples: [WANTED_BEFORE] },
    )
  })

  it('has exactly those as unneeded also after blocks were forgotten, and done again', () => {
    const anyReset = fc.record({
      at: fc.nat(60),
      region: fc
        .tuple(
          fc.array(fc.integer({ min: -10, max: 20 }), { minLength: 6, maxLength: 6 }),
          fc.integer({ min: 1, max: 12 }),
        )
        .map(([offset, size]) => ({ offset, size })),
    })
    fc.assert(
      fc.property(
        anyPipeline({ done: false }),
        anyLimits,
        anyDecisions,
        fc.array(anyReset, { minLength: 1, maxLength: 3 }),
        (tasks, limits, decisions, resets) => {
          const transient = withLimits(
            tasks.map((task) => ({ ...task, transient: true })),
            limits,
          )
          const rank = tasks[0]!.totalRoi.shape.length
          const watched = new Watched(transient, 1)
          const outcomes: BlockOutcome[] = ['done', 'done', 'done', 'done', 'skipped', 'returned', 'failed']
          const regions = resets.map(({ at, region: { offset, size } }) => ({
            at,
            region: roi(offset.slice(0, rank), new Array<number>(rank).fill(size)),
          }))
          runAll(watched, decisions, outcomes, -1, regions)
          for (const number of watched.readers.keys()) {
            assert.equal(watched.unneeded.has(number), watched.isUnneeded(number), 'what is not needed was not said')
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('counts exactly those blocks as done at the start that only done blocks need', () => {
    fc.assert(
      fc.property(anyPipeline({ conflicts: false }), (tasks) => {
        const transient = tasks.map((task) => ({ ...task, transient: true }))
        const model = new ModelScheduler(transient, 0)
        const done = model.states.map((state) => state === 'completed')
        const readers: number[][] = model.blocks.map(() => [])
        for (const [number, waits] of model.waits.entries()) for (const other of waits) readers[other]!.push(number)
        for (const number of [...done.keys()].reverse()) {
          done[number] ||= readers[number]!.length > 0 && readers[number]!.every((reader) => done[reader])
        }
        const found = doneOrUnneeded(transient, orderTasks(transient))
        for (const [number, { task, index }] of model.blocks.entries()) {
          assert.equal((((found[task]?.[index >> 3] ?? 0) >> (index & 7)) & 1) === 1, done[number])
        }
      }),
      { numRuns: 1000 },
    )
  })
})
