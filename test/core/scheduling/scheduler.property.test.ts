import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { IndexBox } from '../../../src/core/grid/index-box.ts'
import type { BlockOutcome } from '../../../src/core/scheduling/block-scheduler.ts'
import { createScheduler, type ScheduledBlock, type Scheduler } from '../../../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../../../src/core/scheduling/scheduler-task.ts'
import { meets, modelBlocks } from '../../support/grid-model.ts'
import { anyPipeline, ModelScheduler } from '../../support/scheduling-model.ts'

/** Small numbers from which a run takes its decisions, one after the other. They can be shrunk, and are the same every time. */
class Decisions {
  readonly #numbers: readonly number[]
  #next = 0
  constructor(numbers: readonly number[]) {
    this.#numbers = numbers
  }
  below(limit: number): number {
    const number = this.#numbers[this.#next % this.#numbers.length]!
    // Mixed with the position, so that a futile round of decisions is not repeated forever.
    const mixed = Math.imul(number + this.#next++, 0x9e3779b1) >>> 0
    return Math.floor((mixed / 2 ** 32) * limit)
  }
}

const anyDecisions = fc.array(fc.nat({ max: 0xffff }), { minLength: 40, maxLength: 120 })

/** The real scheduler and the model side by side. Every step is made in both and compared. */
class Twins {
  readonly real: Scheduler
  readonly model: ModelScheduler
  readonly held: number[] = []
  /** how many times each block was done */
  readonly done: number[]
  readonly #tasks: readonly SchedulerTask[]

  constructor(tasks: readonly SchedulerTask[], retries: number) {
    this.#tasks = tasks
    this.real = createScheduler(tasks, { maxRetries: retries })
    this.model = new ModelScheduler(tasks, retries)
    this.done = this.model.blocks.map(() => 0)
    this.compare()
  }

  compare(): void {
    const counts = this.real.states()
    for (const [number, count] of counts.entries()) {
      assert.deepEqual(count, this.model.counts(number))
      const { total, pending, ready, processing, completed, failed, orphaned } = count
      assert.equal(total, pending + ready + processing + completed + failed + orphaned)
      assert.equal(this.real.readyCount(count.id), ready)
      assert.equal(this.real.isFinished(count.id), pending + ready + processing === 0)
    }
    const states = this.model.blocks.map(({ task, index }) => this.real.blockState(this.#tasks[task]!.id, index))
    assert.deepEqual(states, this.model.states)
    assert.equal(
      this.real.isFinished(),
      counts.every(({ pending, ready, processing }) => pending + ready + processing === 0),
    )
  }

  acquire(task: string | undefined, max: number): number {
    const blocks = this.real.acquire(task, max)
    for (const { taskId, index, attempt, readRoi, writeRoi } of blocks) {
      const number = this.model.number(
        this.#tasks.findIndex(({ id }) => id === taskId),
        index,
      )
      assert.equal(this.model.states[number], 'ready', 'only ready blocks are handed out')
      for (const other of this.held)
        assert.ok(!this.model.mayNotRunTogether(number, other), 'two blocks in conflict run at the same time')
      for (const before of this.model.waits[number]!) assert.equal(this.model.states[before], 'completed')
      assert.equal(attempt, this.model.tries[number]! + 1)
      assert.deepEqual(
        { read: readRoi, write: writeRoi },
        { read: this.model.blocks[number]!.read, write: this.model.blocks[number]!.write },
      )
      this.model.take(number)
      this.held.push(number)
    }
    return blocks.length
  }

  acquireAt(task: number, index: number): void {
    const number = this.model.number(task, index)
    const ready = this.model.states[number] === 'ready'
    assert.equal(this.real.acquireBlock(this.#tasks[task]!.id, index) !== undefined, ready)
    if (!ready) return
    this.model.take(number)
    this.held.push(number)
  }

  release(places: readonly number[], outcome: (number: number) => BlockOutcome): void {
    const numbers = places.map((place) => this.held[place]!)
    const outcomes = numbers.map(outcome)
    for (const number of numbers) this.held.splice(this.held.indexOf(number), 1)
    const orphansBefore = this.model.states.filter((state) => state === 'orphaned').length
    let itself = 0
    for (const [n, number] of numbers.entries()) {
      this.model.end(number, outcomes[n]!)
      if (this.model.states[number] === 'orphaned') itself++
      if (this.model.states[number] === 'completed') this.done[number]!++
    }
    const names = numbers.map((number) => {
      const { task, index } = this.model.blocks[number]!
      return { taskId: this.#tasks[task]!.id, index }
    })
    const orphaned = this.real.release(names, outcomes)
    assert.equal(orphaned, this.model.states.filter((state) => state === 'orphaned').length - orphansBefore - itself)
  }

  retry(task: number | undefined): void {
    const id = task === undefined ? undefined : this.#tasks[task]!.id
    assert.equal(this.real.retry(id), this.model.retry(task))
  }

  forget(task: number, box: IndexBox): void {
    const numbers = [...this.real.taskGrid(this.#tasks[task]!.id).indicesOf(box)].map((index) =>
      this.model.number(task, index),
    )
    assert.equal(this.real.forget({ [this.#tasks[task]!.id]: [box, box] }), this.model.forget(numbers))
  }

  releaseForgotten(): boolean {
    const isReleased = this.real.releaseForgotten()
    assert.equal(isReleased, this.model.releaseForgotten())
    return isReleased
  }

  abandon(task: number): void {
    this.real.abandon(this.#tasks[task]!.id)
    this.model.abandon(task)
  }
}

/** A run that acquires and releases blocks as decided until none are left. Every step is checked against the model. */
function run(
  tasks: readonly SchedulerTask[],
  decide: Decisions,
  failing: number,
  abandons: boolean,
  { retries = 0, resets = 0 } = {},
): Twins {
  const twins = new Twins(tasks, decide.below(3))
  const outcome = (): BlockOutcome => {
    const draw = decide.below(100)
    if (draw < failing) return 'failed'
    return draw % 10 === 9 ? 'returned' : draw % 10 === 8 ? 'skipped' : 'done'
  }
  let retriesLeft = retries
  let resetsLeft = resets
  let hasForgotten = false
  for (let step = 0; !twins.real.isFinished() || retriesLeft + resetsLeft > 0; step++) {
    assert.ok(step < 4000, 'the run does not end')
    const action = decide.below(10)
    if (action < 4)
      twins.acquire(decide.below(2) === 0 ? undefined : tasks[decide.below(tasks.length)]!.id, 1 + decide.below(5))
    else if (action === 4) {
      const task = decide.below(tasks.length)
      twins.acquireAt(task, decide.below(twins.real.taskGrid(tasks[task]!.id).blockCount))
    } else if (hasForgotten && (twins.held.length === 0 || decide.below(3) === 0)) {
      hasForgotten = !twins.releaseForgotten()
    } else if (resetsLeft > 0 && (twins.real.isFinished() || decide.below(8) === 0)) {
      resetsLeft--
      hasForgotten = true
      const task = decide.below(tasks.length)
      const { shape } = twins.real.taskGrid(tasks[task]!.id)
      const start = shape.map((count) => decide.below(count))
      twins.forget(task, { start, end: start.map((low, axis) => low + 1 + decide.below(shape[axis]! - low)) })
    } else if (retriesLeft > 0 && (twins.real.isFinished() || decide.below(12) === 0)) {
      retriesLeft--
      twins.retry(decide.below(2) === 0 ? undefined : decide.below(tasks.length))
    } else if (action === 5 && abandons && decide.below(4) === 0) twins.abandon(decide.below(tasks.length))
    else if (twins.held.length > 0) {
      // A batch of the leased blocks. From time to time all of it fails, as if its worker had died.
      const size = 1 + decide.below(twins.held.length)
      const from = decide.below(twins.held.length - size + 1)
      const death = failing > 0 && decide.below(8) === 0
      const places = Array.from({ length: size }, (_, n) => from + n)
      twins.release(places, death ? () => 'failed' : outcome)
    } else twins.acquire(undefined, 1)
    twins.compare()
  }
  assert.equal(twins.held.length, 0)
  return twins
}

const NUM_RUNS = Number(process.env.BELLIS_TEST_RUNS ?? 1000)

describe('the scheduler, compared with a model that looks at every pair of blocks', () => {
  it('agrees with the model after every step of any run without failures, and does every block once', () => {
    fc.assert(
      fc.property(anyPipeline(), anyDecisions, (tasks, numbers) => {
        const { model, done } = run(tasks, new Decisions(numbers), 0, false)
        for (const [number, { task, index }] of model.blocks.entries()) {
          const before = ((tasks[task]!.done?.[index >> 3] ?? 0) >> (index & 7)) & 1
          assert.equal(done[number], 1 - before)
          assert.equal(model.states[number], 'completed')
        }
      }),
      { numRuns: NUM_RUNS },
    )
  })

  it('agrees with the model if attempts fail, blocks are returned and workers die, and orphans exactly the blocks that depend on a failed one', () => {
    fc.assert(
      fc.property(anyPipeline(), anyDecisions, fc.integer({ min: 1, max: 70 }), (tasks, numbers, failing) => {
        const { model, done } = run(tasks, new Decisions(numbers), failing, false)
        // The transitive closure, computed again from the result: what depends on a failed block, directly or indirectly.
        const lost = model.states.map((state) => state === 'failed')
        const initially = new ModelScheduler(tasks, 0).states
        for (let before = -1, now = 0; now !== before; ) {
          before = now
          for (const [number, waits] of model.waits.entries()) {
            if (initially[number] !== 'completed' && waits.some((other) => lost[other])) lost[number] = true
          }
          now = lost.filter(Boolean).length
        }
        for (const [number, state] of model.states.entries()) {
          assert.equal(lost[number], state === 'failed' || state === 'orphaned')
          assert.equal(done[number], !lost[number] && initially[number] !== 'completed' ? 1 : 0)
        }
      }),
      { numRuns: NUM_RUNS },
    )
  })

  it('agrees with the model if tasks are abandoned during the run', () => {
    fc.assert(
      fc.property(anyPipeline(), anyDecisions, fc.integer({ min: 0, max: 40 }), (tasks, numbers, failing) => {
        run(tasks, new Decisions(numbers), failing, true)
      }),
      { numRuns: NUM_RUNS },
    )
  })
})

describe('failed blocks that are attempted again during the run', () => {
  it('agree with the model after every step: what was orphaned by them, and by abandoned tasks, is done, too', () => {
    fc.assert(
      fc.property(
        anyPipeline(),
        anyDecisions,
        fc.integer({ min: 10, max: 80 }),
        fc.nat(6),
        (tasks, numbers, failing, retries) => {
          run(tasks, new Decisions(numbers), failing, true, { retries })
        },
      ),
      { numRuns: NUM_RUNS },
    )
  })
})

describe('blocks that are forgotten during the run', () => {
  it('are done again, as the model says after every step, whether they were done, running, failed or skipped, while attempts fail and tasks are abandoned and retried', () => {
    fc.assert(
      fc.property(
        anyPipeline(),
        anyDecisions,
        fc.integer({ min: 0, max: 50 }),
        fc.nat(3),
        fc.integer({ min: 1, max: 6 }),
        (tasks, numbers, failing, retries, resets) => {
          run(tasks, new Decisions(numbers), failing, retries > 0, { retries, resets })
        },
      ),
      { numRuns: NUM_RUNS },
    )
  })
})

/**
 * Runs tasks that read and write. All voxels that a block writes get one value, a hash of the values in its read Roi: those of its
 * own task's output (if conflicts are ordered) and those of the outputs before it. Which blocks fail for good depends only on the block.
 */
function outputs(tasks: readonly SchedulerTask[], decide: Decisions): string {
  const scheduler = createScheduler(tasks, { maxRetries: 1 })
  const volumes = new Map(
    tasks.map((task) => [task.id, modelBlocks(task).map(({ write }) => ({ write, value: 7 }))] as const),
  )
  const see = (block: ScheduledBlock): number => {
    const task = tasks.find(({ id }) => id === block.taskId)!
    const sources = [...(task.readWriteConflict === false ? [] : [block.taskId]), ...(task.after as string[])]
    let hash = 17
    for (const source of sources) {
      for (const { write, value } of volumes.get(source)!) {
        if (meets(write, block.readRoi)) hash = (Math.imul(hash, 31) + value) | 0
      }
    }
    return hash
  }
  const held: { block: ScheduledBlock; seen: number }[] = []
  for (let step = 0; !scheduler.isFinished(); step++) {
    assert.ok(step < 4000, 'the run does not end')
    if (decide.below(2) === 0 || held.length === 0) {
      const task = decide.below(3) === 0 ? undefined : tasks[decide.below(tasks.length)]!.id
      for (const block of scheduler.acquire(task, 1 + decide.below(4))) held.push({ block, seen: see(block) })
      if (held.length === 0) for (const block of scheduler.acquire(undefined)) held.push({ block, seen: see(block) })
      continue
    }
    const { block, seen } = held.splice(decide.below(held.length), 1)[0]!
    assert.equal(see(block), seen, 'nobody writes what a block reads while it runs')
    const fails = (block.index * 7 + block.taskId.length * 3) % 11
    if (fails === 0 || (fails < 3 && block.attempt === 1)) scheduler.release(block, 'failed')
    else {
      volumes.get(block.taskId)![block.index]!.value = (Math.imul(seen, 2654435761) + block.index) | 0
      scheduler.release(block, 'done')
    }
  }
  const written = [...volumes.values()].map((volume) => volume.map(({ value }) => value))
  return JSON.stringify([written, scheduler.states()])
}

describe('the result of a run', () => {
  it('does not depend on timing, even with failures, and no block sees its input change while it runs', () => {
    fc.assert(
      fc.property(anyPipeline({ done: false }), anyDecisions, anyDecisions, (tasks, one, other) => {
        assert.equal(outputs(tasks, new Decisions(one)), outputs(tasks, new Decisions(other)))
      }),
      { numRuns: NUM_RUNS / 4 },
    )
  })

  it('comes from blocks that are handed out in the same order every time', () => {
    const order = (tasks: readonly SchedulerTask[]): string[] => {
      const scheduler = createScheduler(tasks)
      const seen: string[] = []
      for (let blocks = scheduler.acquire(undefined, 3); blocks.length > 0; blocks = scheduler.acquire(undefined, 3)) {
        seen.push(...blocks.map(({ taskId, index }) => `${taskId}/${index}`))
        scheduler.release(blocks, 'done')
      }
      assert.ok(scheduler.isFinished())
      return seen
    }
    fc.assert(
      fc.property(anyPipeline(), (tasks) => {
        assert.deepEqual(order(tasks), order(tasks))
      }),
      { numRuns: 200 },
    )
  })
})
