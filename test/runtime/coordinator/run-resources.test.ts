import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import type { RunEvent } from '../../../src/core/events.ts'
import type { Resources } from '../../../src/core/workers/resources.ts'
import type { ClosureTask } from '../../../src/runtime/tasks/task-node.ts'
import { line, runInline } from '../../support/inline-run.ts'

/** Measures the resources that all running blocks use together. */
class Meter {
  readonly used: Record<string, number> = {}
  readonly most: Record<string, number> = {}

  readonly block = async (requires: Resources): Promise<void> => {
    this.#add(requires, 1)
    await setImmediate()
    this.#add(requires, -1)
  }

  #add(requires: Resources, sign: number): void {
    for (const [name, amount] of Object.entries({ cpu: 1, ...requires })) {
      this.used[name] = (this.used[name] ?? 0) + sign * amount
      this.most[name] = Math.max(this.most[name] ?? 0, this.used[name])
    }
  }
}

const budgetOf = (amounts: Resources, bindsWorkers = true) => ({
  budget: { amounts, isOpen: false },
  countsJoined: false,
  bindsWorkers,
})

describe('the resources of a run', () => {
  it('are never exceeded by the running blocks, whatever the tasks require, and every block is done', async () => {
    const requires = fc.record(
      {
        cpu: fc.integer({ min: 1, max: 4 }),
        gpu: fc.integer({ min: 0, max: 2 }),
        memoryGb: fc.constantFrom(0.5, 1, 2),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ requires, blocks: fc.integer({ min: 1, max: 8 }), context: fc.nat(1) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        async (shapes, workers, bindsWorkers) => {
          const meter = new Meter()
          const amounts = { cpu: 4, gpu: 2, memoryGb: 2.5 }
          const tasks: ClosureTask[] = []
          for (const [n, { requires, blocks, context }] of shapes.entries()) {
            const after = tasks.slice(-1)
            tasks.push(line(`t${n}`, blocks, () => meter.block(requires), { requires, context, after }))
          }
          const result = await runInline(tasks, { workers, resources: budgetOf(amounts, bindsWorkers) })
          assert.ok(result.ok)
          for (const [name, most] of Object.entries(meter.most)) {
            assert.ok(most <= amounts[name as keyof typeof amounts] + 1e-9, `${name}: ${most}`)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('limit a task that needs a GPU to 8 workers if there are 8 GPUs, while the other workers continue', async () => {
    const meter = new Meter()
    const requires = { gpu: 1 }
    const cut = line('cut', 60, () => meter.block({}))
    const infer = line('infer', 60, () => meter.block(requires), { requires, after: [cut] })
    const workers = new Set<string>()
    const onEvent = (event: RunEvent) => {
      if (event.type === 'blocks-leased' && event.taskId === 'infer') workers.add(event.workerId)
    }
    const resources = budgetOf({ cpu: 20, gpu: 8 })
    assert.ok((await runInline([infer], { workers: 20, resources, onEvent })).ok)
    assert.equal(meter.most.gpu, 8)
    assert.ok((meter.most.cpu ?? 0) > 8, 'all other tasks waited for the GPUs')
    // A worker that has set up the task keeps its GPU, so only these workers do it.
    assert.equal(workers.size, 8)
  })

  it('move to the next task with the work: a worker that holds what the next task needs makes room', async () => {
    const requires = { gpu: 1 }
    const first = line('first', 12, () => setImmediate(), { requires })
    const second = line('second', 12, () => setImmediate(), { requires, after: [first] })
    const byWorker = new Map<string, Set<string>>()
    const onEvent = (event: RunEvent) => {
      if (event.type !== 'blocks-leased') return
      byWorker.set(event.workerId, (byWorker.get(event.workerId) ?? new Set()).add(event.taskId))
      assert.notEqual(event.workerId, undefined)
    }
    const died: RunEvent[] = []
    const result = await runInline([second], {
      workers: 3,
      resources: budgetOf({ cpu: 3, gpu: 1 }),
      onEvent: (event) => {
        onEvent(event)
        if (event.type === 'worker-died') died.push(event)
      },
    })
    assert.ok(result.ok)
    assert.deepEqual(died, [])
    for (const tasks of byWorker.values()) assert.equal(tasks.size, 1, 'a worker had the set-ups of both tasks')
  })

  it('are reserved, as processors become free, for a downstream task that needs several', async () => {
    const order: string[] = []
    const narrow = line('narrow', 40, async ({ index }) => {
      await setImmediate()
      order.push(`n${index}`)
    })
    const wide = line('wide', 4, async ({ index }) => void order.push(`w${index}`), {
      requires: { cpu: 3 },
      after: [narrow],
    })
    assert.ok((await runInline([wide], { workers: 3, resources: budgetOf({ cpu: 3 }) })).ok)
    assert.ok(order.indexOf('w0') < order.indexOf('n20'), order.join(' '))
  })
})
