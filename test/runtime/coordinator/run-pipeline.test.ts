import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import type { RunEvent } from '../../../src/core/events.ts'
import { gridOptions } from '../../../src/core/grid/grid-options.ts'
import { systemClock } from '../../../src/entry/clock.ts'
import { defineTask } from '../../../src/runtime/tasks/define-task.ts'
import { line, runInline } from '../../support/inline-run.ts'

describe('a run', () => {
  it('does every block once, and at most one per worker at a time', async () => {
    const times = new Array<number>(50).fill(0)
    let running = 0
    let most = 0
    const result = await runInline(
      [
        line('a', 50, async (block) => {
          most = Math.max(most, ++running)
          await setImmediate()
          times[block.index] = (times[block.index] ?? 0) + 1
          running--
        }),
      ],
      { workers: 3 },
    )
    assert.ok(result.ok && !result.stopped)
    assert.deepEqual(times, new Array(50).fill(1))
    assert.ok(most > 1 && most <= 3, `${most} at a time`)
    assert.deepEqual(
      result.tasks.map(({ id, total, completed, failures }) => [id, total, completed, failures]),
      [['a', 50, 50, []]],
    )
  })

  it('retries a block that fails, then counts it as failed and orphans the blocks that depend on it', async () => {
    const tries = new Map<number, number>()
    const events: RunEvent[] = []
    const first = line('first', 6, (block) => {
      tries.set(block.index, (tries.get(block.index) ?? 0) + 1)
      if (block.index === 2) throw new Error('no such neuron')
    })
    const second = line('second', 6, () => {}, { after: [first], context: 1 })
    const result = await runInline([second], { maxRetries: 1, onEvent: (event) => events.push(event) })
    assert.equal(result.ok, false)
    assert.equal(tries.get(2), 2)
    const [one, two] = result.tasks
    assert.deepEqual([one?.completed, one?.failed, one?.orphaned], [5, 1, 0])
    assert.deepEqual([two?.completed, two?.failed, two?.orphaned], [3, 0, 3])
    const [failure] = one?.failures ?? []
    assert.equal(failure?.block, 'first/2')
    assert.equal(failure?.attempts, 2)
    assert.equal(failure?.error.message, 'no such neuron')
    assert.match(failure?.error.stack ?? '', /run-pipeline\.test/)
    assert.equal(events.filter((event) => event.type === 'block-retried').length, 1)
    assert.equal(events.filter((event) => event.type === 'block-failed').length, 1)
  })

  it('starts a downstream block as soon as what it reads is done, before the upstream task has ended', async () => {
    const order: string[] = []
    const note = (block: { taskId: string; index: number }) => void order.push(`${block.taskId}${block.index}`)
    const up = line('up', 30, note)
    const result = await runInline([up, line('down', 30, note, { after: [up], context: 1 })], { workers: 1 })
    assert.ok(result.ok)
    assert.ok(order.indexOf('down0') < order.indexOf('up29'), order.join(' '))
    for (let index = 0; index < 30; index++) {
      const begun = order.indexOf(`down${index}`)
      for (const needed of [index - 1, index, index + 1].filter((i) => i >= 0 && i < 30)) {
        assert.ok(order.indexOf(`up${needed}`) < begun, `down${index} before up${needed}`)
      }
    }
  })

  it('skips a block that its check calls done, and fails a block that its check does not call done afterwards', async () => {
    const ran: number[] = []
    const result = await runInline(
      [
        line('a', 4, (block) => void ran.push(block.index), {
          isDone: (block) => block.index === 0 || (block.index !== 3 && ran.includes(block.index)),
        }),
      ],
      { maxRetries: 0, workers: 1 },
    )
    const [task] = result.tasks
    assert.deepEqual(ran, [1, 2, 3])
    assert.deepEqual([task?.completed, task?.skipped, task?.failed], [3, 1, 1])
    assert.equal(task?.failures[0]?.error.code, 'BLOCK_CHECK_FAILED')
  })

  it('shows the error of a check that throws', async () => {
    const isDone = () => {
      throw new Error('database is away')
    }
    const result = await runInline([line('a', 1, () => {}, { isDone })], { maxRetries: 0 })
    assert.match(result.tasks[0]?.failures[0]?.error.message ?? '', /isDone threw: database is away/)
  })

  it('ends a block that exceeds its time limit, and does the others', async () => {
    const { promise: never } = Promise.withResolvers<void>()
    const result = await runInline([line('a', 5, (block) => (block.index === 1 ? never : undefined))], {
      maxRetries: 1,
      timeoutMs: 50,
    })
    const [task] = result.tasks
    assert.deepEqual([task?.completed, task?.failed], [4, 1])
    assert.equal(task?.failures[0]?.error.code, 'BLOCK_TIMEOUT')
    assert.equal(task?.failures[0]?.attempts, 2)
  })

  it('ends a block that exceeds the time limit of its task, which takes the place of that of the run', async () => {
    const { promise: never } = Promise.withResolvers<void>()
    const short = line('a', 2, (block) => (block.index === 1 ? never : undefined), { timeoutMs: 50 })
    const result = await runInline([short], { maxRetries: 0, timeoutMs: 3_600_000 })
    assert.equal(result.tasks[0]?.failures[0]?.error.code, 'BLOCK_TIMEOUT')
  })

  it('stops at its signal: the running blocks finish, and no other block starts', async () => {
    const stopping = new AbortController()
    let finished = 0
    const result = await runInline(
      [
        line('a', 100, async (block) => {
          if (block.index === 5) stopping.abort()
          await setImmediate()
          finished++
        }),
      ],
      { signal: stopping.signal, workers: 1 },
    )
    assert.ok(result.stopped && !result.ok)
    const [task] = result.tasks
    assert.equal(task?.completed, finished)
    assert.ok(finished < 100)
    assert.equal(task?.processing, 0)
    assert.equal((task?.pending ?? 0) + (task?.ready ?? 0), 100 - finished)
  })

  it('reports the outcome of every block that was handed out, including returned blocks', async () => {
    const stopping = new AbortController()
    const held = new Map<number, string>()
    let returned = 0
    await runInline(
      [
        line('a', 1000, async (block) => {
          await setImmediate()
          if (block.index === 100) stopping.abort()
          if (block.index === 7) throw new Error('no such neuron')
        }),
      ],
      {
        signal: stopping.signal,
        workers: 2,
        onEvent: (event) => {
          switch (event.type) {
            case 'blocks-leased':
              for (const index of event.indices) held.set(index, event.workerId)
              break
            case 'blocks-done':
            case 'blocks-returned':
              for (const index of event.indices) {
                assert.equal(held.get(index), event.workerId)
                held.delete(index)
              }
              if (event.type === 'blocks-returned') returned += event.indices.length
              break
            case 'block-retried':
              held.delete(event.index)
              break
            case 'block-failed':
              held.delete(event.failure.index)
              break
            default:
          }
        },
      },
    )
    assert.deepEqual([...held], [])
    assert.ok(returned > 0)
  })

  it('stops at once with the reason when a disk is full, and counts the block neither as done nor as failed', async () => {
    const { InfrastructureError } = await import('../../../src/core/errors.ts')
    const result = await runInline([
      line('a', 100, (block) => {
        if (block.index === 3) throw new InfrastructureError('DISK_FULL', 'The disk of out.zarr is full.')
      }),
    ])
    assert.equal(result.error?.code, 'DISK_FULL')
    assert.equal(result.ok, false)
    assert.equal(result.stopped, false)
    assert.equal(result.tasks[0]?.failed, 0)
  })

  it('leaves no timer behind if it is stopped before a worker was replaced', async () => {
    const waiting = new Set<() => void>()
    const clock = {
      now: systemClock.now,
      date: systemClock.date,
      after: (ms: number, call: () => void) => {
        const cancel = systemClock.after(ms, () => {
          waiting.delete(cancel)
          call()
        })
        waiting.add(cancel)
        return () => {
          waiting.delete(cancel)
          cancel()
        }
      },
    }
    const stopping = new AbortController()
    const broken = defineTask({
      name: 'broken',
      config: z.object({}),
      plan: () => gridOptions(line('broken', 4, () => {})),
      setup: () => {
        throw new Error('no model')
      },
    })
    const onEvent = (event: RunEvent) => {
      if (event.type === 'worker-died' && event.restartMs !== undefined && event.restartMs > 100) stopping.abort()
    }
    const result = await runInline([broken({})], { clock, signal: stopping.signal, onEvent, workers: 1 })
    assert.ok(result.stopped)
    assert.equal(waiting.size, 0)
  })

  it('reports counts that always add up, and ends with run-finished', async () => {
    const events: RunEvent[] = []
    await runInline(
      [
        line('a', 200, async (block) => {
          await setImmediate()
          if (block.index % 10 === 0) throw new Error('no')
        }),
      ],
      { onEvent: (event) => events.push(event), maxRetries: 1 },
    )
    assert.equal(events[0]?.type, 'run-started')
    assert.equal(events.at(-1)?.type, 'run-finished')
    for (const event of events) {
      if (event.type !== 'progress') continue
      for (const t of event.tasks) {
        assert.equal(t.pending + t.ready + t.processing + t.completed + t.failed + t.orphaned, t.total)
      }
    }
  })

  it('goes through a hundred thousand blocks that do nothing', async () => {
    const result = await runInline([line('a', 100_000, () => {})])
    assert.equal(result.tasks[0]?.completed, 100_000)
  })
})
