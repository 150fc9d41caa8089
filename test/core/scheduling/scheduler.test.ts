import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { roi } from '../../../src/core/geometry/roi.ts'
import { BlockScheduler, OUTCOME_CODE } from '../../../src/core/scheduling/block-scheduler.ts'
import { createScheduler, type Scheduler } from '../../../src/core/scheduling/scheduler.ts'
import type { SchedulerTask } from '../../../src/core/scheduling/scheduler-task.ts'

/** A 1-D task: total, read, write, each [offset, length]. */
const line = (
  id: string,
  total: readonly [number, number],
  read: readonly [number, number],
  write: readonly [number, number],
  more: Partial<SchedulerTask> = {},
): SchedulerTask => ({
  id,
  totalRoi: roi([total[0]], [total[1]]),
  readRoi: roi([read[0]], [read[1]]),
  writeRoi: roi([write[0]], [write[1]]),
  ...more,
})

const free = { readWriteConflict: false } as const

const cube = (id: string, side: number, more: Partial<SchedulerTask> = {}): SchedulerTask => ({
  id,
  totalRoi: roi([0, 0, 0], [side + 2, side + 2, side + 2]),
  readRoi: roi([0, 0, 0], [3, 3, 3]),
  writeRoi: roi([1, 1, 1], [1, 1, 1]),
  ...more,
})

/** Completes all blocks one at a time, without objects. @returns how many blocks were handed out */
function finishNumbers(scheduler: BlockScheduler): number {
  const out = new Float64Array(1)
  let count = 0
  for (let task = scheduler.nextTask(); task >= 0; task = scheduler.nextTask()) {
    count += scheduler.acquireInto(task, 1, out)
    scheduler.releaseMany(task, out, 1, 'done')
  }
  assert.ok(scheduler.isFinished())
  return count
}

/** Completes all blocks one at a time. @returns the blocks in the order in which they were handed out */
function finish(scheduler: Scheduler): string[] {
  const order: string[] = []
  for (let blocks = scheduler.acquire(); blocks.length > 0; blocks = scheduler.acquire()) {
    order.push(...blocks.map(({ taskId, index }) => `${taskId}/${index}`))
    scheduler.release(blocks, 'done')
  }
  assert.ok(scheduler.isFinished())
  assert.equal(new Set(order).size, order.length, 'every block once')
  return order
}

describe('the scheduler where its peer is wrong', () => {
  it('wakes the correct blocks of a chain with context below only, and finishes', () => {
    const chain = [line('a', [0, 3], [0, 2], [1, 1]), line('b', [0, 3], [0, 2], [1, 1], { after: ['a'] })]
    assert.equal(finish(createScheduler(chain)).length, 4)
  })

  it('hands out every block only once in a chain with overhang and context above only', () => {
    const chain = [
      line('a', [0, 3], [0, 2], [0, 1], { fit: 'overhang' }),
      line('b', [0, 3], [0, 2], [0, 1], { fit: 'overhang', after: ['a'] }),
    ]
    assert.equal(finish(createScheduler(chain)).length, 4)
  })

  it('runs a downstream task that covers a part of its upstream task only', () => {
    const scheduler = createScheduler([
      line('up', [0, 8], [0, 1], [0, 1]),
      line('down', [2, 2], [0, 1], [0, 1], { after: ['up'] }),
    ])
    assert.deepEqual(
      scheduler.states().map(({ total }) => total),
      [8, 2],
    )
    scheduler.release(scheduler.acquireBlock('up', 3)!, 'done')
    assert.equal(scheduler.blockState('down', 1), 'ready')
    assert.equal(scheduler.blockState('down', 0), 'pending')
    assert.equal(finish(scheduler).length, 9)
  })

  it('does not wait where no upstream block writes', () => {
    const up = line('up', [0, 3], [0, 2], [0, 2])
    const scheduler = createScheduler([up, line('down', [0, 3], [0, 1], [0, 1], { after: ['up'] })])
    assert.deepEqual(
      [0, 1, 2].map((index) => scheduler.blockState('down', index)),
      ['pending', 'pending', 'ready'],
    )
    assert.equal(finish(scheduler).length, 4)
  })

  it('runs a downstream task whose last block extends beyond what the upstream task covers', () => {
    const up = line('up', [0, 4], [0, 1], [0, 1])
    const down = line('down', [0, 3], [0, 2], [0, 2], { fit: 'overhang', after: ['up'] })
    assert.equal(finish(createScheduler([up, down])).length, 6)
  })

  it('orphans each block once, in a chain and in a task of 4 × 3 blocks, and ends', () => {
    const scheduler = createScheduler(
      [line('a', [0, 6], [0, 3], [1, 1], free), line('b', [0, 6], [0, 3], [1, 1], { ...free, after: ['a'] })],
      { maxRetries: 0 },
    )
    const end = (taskId: string, index: number, outcome: 'done' | 'failed') =>
      scheduler.release(scheduler.acquireBlock(taskId, index)!, outcome)
    end('a', 3, 'done')
    assert.equal(end('a', 1, 'failed'), 3)
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => scheduler.blockState('b', index)),
      ['orphaned', 'orphaned', 'orphaned', 'pending'],
    )
    end('a', 2, 'done')
    assert.equal(end('b', 3, 'failed'), 0)
    assert.equal(end('a', 0, 'failed'), 0)
    const [, b] = scheduler.states()
    assert.deepEqual(
      { ...b },
      { id: 'b', total: 4, pending: 0, ready: 0, processing: 0, completed: 0, skipped: 0, failed: 1, orphaned: 3 },
    )
    assert.ok(scheduler.isFinished())

    const single = createScheduler(
      [{ id: 'one', totalRoi: roi([0, 0], [6, 5]), readRoi: roi([0, 0], [3, 3]), writeRoi: roi([1, 1], [1, 1]) }],
      { maxRetries: 0 },
    )
    for (let blocks = single.acquire(); blocks.length > 0; blocks = single.acquire()) single.release(blocks, 'failed')
    const [{ total, failed, orphaned, pending }] = single.states() as [ReturnType<Scheduler['taskState']>]
    assert.deepEqual([total, failed + orphaned, pending], [12, 12, 0])
    assert.ok(single.isFinished())
  })

  it('refuses a total that is smaller than a block or than its context with an error that names the values', () => {
    assert.throws(() => createScheduler([line('t', [0, 2], [0, 5], [1, 3])]), {
      code: 'EMPTY_TOTAL_WRITE_ROI',
      message: /"t".*0:2/,
    })
    assert.throws(() => createScheduler([line('t', [0, 4], [0, 5], [0, 5])]), {
      code: 'NO_BLOCKS',
      message: /"t".*shrink/,
    })
  })

  it('frees the memory of blocks that are done: a finished run keeps no state at all', () => {
    const scheduler = new BlockScheduler([cube('c', 40)])
    assert.equal(finishNumbers(scheduler), 64_000)
    assert.equal(scheduler.bytesInUse, 0)
  })
})

describe('the order in which blocks are handed out', () => {
  it('starts with the most downstream ready block, so that results appear early', () => {
    const chain = [line('a', [0, 9], [0, 1], [0, 1]), line('b', [0, 9], [0, 1], [0, 1], { after: ['a'] })]
    assert.deepEqual(finish(createScheduler(chain)).slice(0, 6), ['a/0', 'b/0', 'a/1', 'b/1', 'a/2', 'b/2'])
  })

  it('prefers blocks that became ready to further roots, so that the front stays small', () => {
    const scheduler = new BlockScheduler([cube('c', 128)])
    const acquired = new Float64Array(64)
    let most = 0
    for (let n = 0; n < 10_000; n++) {
      const count = scheduler.acquireInto(0, 64, acquired)
      scheduler.releaseMany(0, acquired, count, 'done')
      most = Math.max(most, scheduler.bytesInUse)
    }
    assert.ok(most < (128 ** 3 * 18) / 128 + 4 * 32_768, `${most} bytes: more than the layer of one tile`)
  })

  it('never lets a worker wait while some block is ready', () => {
    const scheduler = createScheduler([cube('c', 6), cube('d', 6, { after: ['c'] })])
    const { ready } = scheduler.taskState('c')
    assert.equal(scheduler.acquire(undefined, 1000).length, ready)
    assert.equal(ready, 27)
    assert.equal(scheduler.readyCount(), 0)
    assert.deepEqual(scheduler.acquire(undefined, 1000), [])
  })
})

describe('acquiring and releasing', () => {
  it('names the blocks, their Rois and the attempt', () => {
    const scheduler = createScheduler([line('a', [0, 4], [-1, 4], [0, 2])])
    const [block] = scheduler.acquire('a')
    assert.deepEqual(block, { taskId: 'a', index: 0, attempt: 1, readRoi: roi([0], [4]), writeRoi: roi([1], [2]) })
    scheduler.release(block!, { status: 'failed' })
    assert.equal(scheduler.acquire('a')[0]!.attempt, 2)
  })

  it('tries a block maxRetries + 1 times, and counts no returned block as an attempt', () => {
    const scheduler = createScheduler([line('a', [0, 1], [0, 1], [0, 1], { maxRetries: 1 })])
    for (const outcome of ['returned', 'failed', 'returned', 'returned'] as const) {
      scheduler.release(scheduler.acquire()[0]!, outcome)
    }
    assert.equal(scheduler.blockState('a', 0), 'ready')
    scheduler.release(scheduler.acquire()[0]!, 'failed')
    assert.equal(scheduler.blockState('a', 0), 'failed')
    assert.ok(scheduler.isFinished())
  })

  it('refuses a block that is not leased, is named twice, or does not exist, and changes nothing', () => {
    const scheduler = createScheduler([line('a', [0, 8], [0, 1], [0, 1])])
    const held = scheduler.acquire('a', 3)
    const before = scheduler.states()
    const refused = { name: 'ConfigError', code: 'BLOCK_NOT_HELD' }
    for (const index of [5, -1, 8, 0.5, Number.NaN]) {
      assert.throws(() => scheduler.release([...held, { taskId: 'a', index }], 'done'), {
        ...refused,
        message: new RegExp(`a/${index} `),
      })
    }
    assert.throws(() => scheduler.release([held[0]!, held[1]!, held[0]!], 'done'), refused)
    assert.throws(() => scheduler.release({ taskId: 'b', index: 0 }, 'done'), {
      code: 'UNKNOWN_TASK',
      message: /"b".*"a"/,
    })
    assert.throws(() => scheduler.release(held, ['done']), { code: 'INVALID_CONFIG' })
    assert.throws(() => scheduler.release(held, 'finished' as 'done'), {
      code: 'INVALID_CONFIG',
      message: /"finished"/,
    })
    for (const outcome of ['toString', undefined, {}]) {
      assert.throws(() => scheduler.release(held, outcome as unknown as 'done'), { code: 'INVALID_CONFIG' })
    }
    assert.deepEqual(scheduler.states(), before)
    scheduler.release(held, ['done', 'failed', 'returned'])
    assert.throws(() => scheduler.release(held[0]!, 'done'), refused)
    assert.deepEqual(
      [0, 1, 2].map((index) => scheduler.blockState('a', index)),
      ['completed', 'ready', 'ready'],
    )
  })

  it('refuses an invalid number of blocks, instead of handing out none or too many', () => {
    const scheduler = createScheduler([line('a', [0, 8], [0, 1], [0, 1])])
    for (const max of [Number.NaN, -1, 2.5]) {
      assert.throws(() => scheduler.acquire('a', max), {
        code: 'INVALID_CONFIG',
        message: new RegExp(`^${max} blocks`),
      })
      const numbers = new BlockScheduler([line('a', [0, 8], [0, 1], [0, 1])])
      assert.throws(() => numbers.acquireInto(0, max, new Float64Array(8)), { code: 'INVALID_CONFIG' })
    }
    assert.equal(scheduler.acquire('a', 0).length, 0)
    assert.equal(scheduler.acquire('a', Number.POSITIVE_INFINITY).length, 8)
  })

  it('gives the same results with and without objects', () => {
    const scheduler = new BlockScheduler([
      line('a', [0, 8], [0, 1], [0, 1]),
      line('b', [0, 8], [0, 1], [0, 1], { after: ['a'] }),
    ])
    const out = new Float64Array(4)
    assert.equal(scheduler.nextTask(), 0)
    assert.equal(scheduler.acquireInto(0, 9, out), 4)
    assert.deepEqual([...out], [0, 1, 2, 3])
    const codes = [OUTCOME_CODE.done, OUTCOME_CODE.skipped, OUTCOME_CODE.failed, OUTCOME_CODE.returned]
    const before = scheduler.counts()
    const refused = { name: 'ConfigError', code: 'BLOCK_NOT_HELD' }
    assert.throws(() => scheduler.releaseMany(0, [0, 1, 1], 3, 'done'), refused)
    assert.throws(() => scheduler.releaseMany(0, [0], 1, [7]), { code: 'INVALID_CONFIG' })
    assert.deepEqual(scheduler.counts(), before)
    scheduler.releaseMany(0, out, 4, codes)
    assert.equal(scheduler.nextTask(), 1)
    const { completed, skipped, ready } = scheduler.task(0).counts()
    assert.deepEqual([completed, skipped, ready], [2, 1, 6])
    assert.equal(scheduler.task(0).failedAttempts(2), 1)
    assert.equal(scheduler.acquireInto(1, 4, out), 2)
    assert.throws(() => scheduler.acquireInto(2, 1, out), { code: 'UNKNOWN_TASK' })
  })

  it('returns how many blocks were orphaned', () => {
    const scheduler = createScheduler(
      [
        line('a', [0, 4], [0, 2], [0, 1], free),
        line('b', [0, 3], [0, 1], [0, 1], { after: ['a'] }),
        line('c', [0, 3], [0, 1], [0, 1]),
      ],
      { maxRetries: 0 },
    )
    const block = scheduler.acquireBlock('a', 1)!
    assert.equal(scheduler.release(block, 'failed'), 1)
    assert.deepEqual(
      [0, 1, 2].map((index) => scheduler.blockState('b', index)),
      ['pending', 'orphaned', 'pending'],
    )
  })

  it('refuses contradictory options', () => {
    for (const maxRetries of [-1, 0.5, Number.NaN]) {
      assert.throws(() => createScheduler([line('a', [0, 1], [0, 1], [0, 1])], { maxRetries }), {
        code: 'INVALID_CONFIG',
      })
    }
    const flat = line('flat', [0, 4], [0, 1], [0, 1])
    assert.throws(() => createScheduler([flat, cube('cube', 3, { after: ['flat'] })]), {
      code: 'RANK_MISMATCH',
      message: /"cube".*"flat"/,
    })
    assert.throws(() => createScheduler([line('a', [0, 9], [0, 1], [0, 1], { done: new Uint8Array(1) })]), {
      code: 'INVALID_TASK',
      message: /1 bytes.*9 blocks need 2/,
    })
    const bits = [255, 1] as unknown as Uint8Array
    assert.throws(() => createScheduler([line('a', [0, 9], [0, 1], [0, 1], { done: bits })]), {
      code: 'INVALID_TASK',
      message: /"a": "done" must be a Uint8Array/,
    })
    assert.throws(() => createScheduler([line('a', [0, 2 ** 40], [0, 1], [0, 1])]), {
      code: 'TOO_MANY_BLOCKS',
      message: /2\^39/,
    })
  })
})

describe('abandoning a task', () => {
  it('orphans its remaining blocks and those that depend on them, and lets other tasks continue', () => {
    const scheduler = createScheduler([
      line('bad', [0, 4], [0, 1], [0, 1]),
      line('down', [0, 8], [0, 1], [0, 1], { after: ['bad'] }),
      line('good', [0, 4], [0, 1], [0, 1]),
    ])
    const [held, other] = scheduler.acquire('bad', 2)
    scheduler.release(scheduler.acquire('bad')[0]!, 'done')
    scheduler.abandon('bad')
    scheduler.abandon('bad')
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => scheduler.blockState('bad', index)),
      ['processing', 'processing', 'completed', 'orphaned'],
    )
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((index) => scheduler.blockState('down', index)),
      ['pending', 'pending', 'ready', 'orphaned', 'ready'],
    )
    assert.equal(scheduler.release(held!, 'returned'), 1)
    scheduler.release(other!, 'done')
    assert.deepEqual(
      [0, 1].map((index) => scheduler.blockState('down', index)),
      ['orphaned', 'ready'],
    )
    assert.equal(scheduler.blockState('bad', 0), 'orphaned')
    assert.equal(finish(scheduler).length, 6 + 4)
    const { total, completed, orphaned } = scheduler.taskState('bad')
    assert.deepEqual([total, completed, orphaned], [4, 2, 2])
  })

  it('leaves blocks pending that wait only for leased blocks', () => {
    const scheduler = createScheduler([
      line('bad', [0, 1], [0, 1], [0, 1]),
      line('down', [0, 1], [0, 1], [0, 1], { after: ['bad'] }),
    ])
    const [held] = scheduler.acquire('bad')
    scheduler.abandon('bad')
    assert.equal(scheduler.blockState('down', 0), 'pending')
    scheduler.release(held!, 'done')
    assert.deepEqual(finish(scheduler), ['down/0'])
  })

  it('abandons complete downstream tasks without visiting their blocks', () => {
    const scheduler = new BlockScheduler([
      cube('a', 1000),
      cube('b', 1000, { after: ['a'] }),
      cube('c', 1000, { after: ['b'] }),
    ])
    scheduler.abandon(0)
    assert.deepEqual(
      scheduler.counts().map(({ orphaned }) => orphaned),
      [1e9, 1e9, 1e9],
    )
    assert.ok(scheduler.isFinished())
    assert.equal(scheduler.bytesInUse, 0)
  })
})

describe('a run that continues', () => {
  it('hands out only blocks that are not done, and starts at once those that wait only for done blocks', () => {
    const done = Uint8Array.of(0b0000_0111)
    const scheduler = createScheduler([
      line('a', [0, 8], [0, 1], [0, 1], { done }),
      line('b', [0, 8], [0, 1], [0, 1], { after: ['a'] }),
    ])
    done.fill(255) // the scheduler has its own copy
    const [a, b] = scheduler.states()
    assert.deepEqual([a!.completed, a!.skipped, a!.ready], [3, 3, 5])
    assert.deepEqual([b!.ready, b!.pending], [3, 5])
    assert.deepEqual(finish(scheduler), [
      'b/0',
      'b/1',
      'b/2',
      'a/3',
      'b/3',
      'a/4',
      'b/4',
      'a/5',
      'b/5',
      'a/6',
      'b/6',
      'a/7',
      'b/7',
    ])
  })

  it('is finished when everything is done, and frees the tasks after it', () => {
    const done = Uint8Array.of(255)
    const a = line('a', [0, 8], [0, 1], [0, 1], { done })
    assert.ok(createScheduler([a]).isFinished())
    assert.equal(createScheduler([a, line('b', [0, 8], [0, 1], [0, 1], { after: ['a'] })]).readyCount('b'), 8)
  })

  it('accepts a bitmap that is part of a larger buffer, whatever follows its last bit', () => {
    const buffer = Buffer.from([9, 9, 0b1111_1110, 0b1111_1111])
    const scheduler = createScheduler([line('a', [0, 9], [0, 1], [0, 1], { done: buffer.subarray(2) })])
    assert.equal(scheduler.taskState('a').completed, 8)
    assert.deepEqual(finish(scheduler), ['a/0'])
  })
})

describe('a task of 10^9 blocks', () => {
  it('starts without visiting its blocks, and keeps only the state of the front', () => {
    const scheduler = new BlockScheduler([cube('huge', 1000)])
    assert.equal(scheduler.task(0).counts().total, 1e9)
    assert.equal(scheduler.task(0).counts().ready, 500 ** 3)
    assert.equal(scheduler.bytesInUse, 0)
    const out = new Float64Array(64)
    for (let n = 0; n < 1000; n++) scheduler.releaseMany(0, out, scheduler.acquireInto(0, 64, out), 'done')
    assert.equal(scheduler.task(0).counts().completed, 64_000)
    assert.ok(scheduler.bytesInUse < 2 ** 21 * 18)
  })

  it('has exact indices beyond 2^32', () => {
    const scheduler = createScheduler([line('long', [0, 2 ** 38], [0, 3], [1, 1])])
    const index = 2 ** 37 + 5
    assert.equal(scheduler.blockState('long', index), 'ready')
    scheduler.release(scheduler.acquireBlock('long', index)!, 'done')
    assert.equal(scheduler.blockState('long', index - 1), 'pending')
    scheduler.release(scheduler.acquireBlock('long', index - 2)!, 'done')
    assert.equal(scheduler.blockState('long', index - 1), 'ready')
    assert.equal(scheduler.acquire('long', 1)[0]!.index, index - 1)
  })
})
