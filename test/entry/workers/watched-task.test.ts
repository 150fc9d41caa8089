import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type UserCodeWatch, watchedTask } from '../../../src/entry/workers/user-code.ts'
import type { LoadedTask } from '../../../src/runtime/worker/worker-options.ts'

describe('a watched task', () => {
  it('does all that the task does', async () => {
    const calls: string[] = []
    const watch = { guard: (work: () => unknown) => work() } as unknown as UserCodeWatch
    const task: Required<LoadedTask> = {
      process: async () => {
        calls.push('process')
        return undefined
      },
      isDone: () => calls.push('isDone') > 0,
      ahead: { offer: () => calls.push('offer'), has: () => calls.push('has') > 0 },
    }
    const watched = watchedTask(task, watch) as Required<LoadedTask>
    const roi = { offset: [0], shape: [1] }
    const block = { index: 0, taskId: 't', readRoi: roi, writeRoi: roi, progress() {} }
    await watched.process(block, { signal: new AbortController().signal })
    await watched.isDone(block)
    watched.ahead.offer(0, () => [])
    watched.ahead.has(0)
    assert.deepEqual(Object.keys(watched).sort(), Object.keys(task).sort())
    assert.deepEqual(calls, ['process', 'isDone', 'offer', 'has'])
  })
})
