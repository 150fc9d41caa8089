import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../../src/core/events.ts'
import { blocksOfOtherCode, type CodeChange } from '../../../../src/entry/run-folder/provenance/changed-code.ts'
import { CodeWatch } from '../../../../src/entry/run-folder/provenance/code-watch.ts'

/** A run of one task: its code, the blocks that are recorded as done, and what was noted. */
function watched({ earlierCode = [] as string[] } = {}) {
  const state = { code: 'x', done: 0 }
  const changes: (CodeChange & { readonly isNew: boolean })[] = []
  const task = {
    ...{ id: 'a', code: 'x', earlierCode },
    codeNow: () => state.code,
    completed: () => state.done,
  }
  const watch = new CodeWatch([task], (change, isNew) => changes.push({ ...change, isNew }))
  const start = (workerId: string) => watch.receive({ type: 'worker-started', workerId, pid: 1, host: 'here' })
  const lease = (workerId: string) => watch.receive({ type: 'blocks-leased', taskId: 'a', indices: [0], workerId })
  const finish = (workerId: string, blocks = 1) => {
    state.done += blocks
    watch.receive({ type: 'blocks-done', taskId: 'a', indices: [0], ms: [1], workerId })
  }
  const giveBack = (workerId: string) => watch.receive({ type: 'blocks-returned', taskId: 'a', indices: [0], workerId })
  const end = (workerId: string) => watch.receive({ type: 'worker-ended', workerId } as RunEvent)
  const forget = (completed: number) => {
    state.done -= completed
    const reset = { id: 'a', completed, failed: 0, running: 0, boxes: [] }
    watch.receive({ type: 'reset', tasks: [reset] })
  }
  const noted = () => changes.map(({ code, otherCode, before, isNew }) => [code, otherCode ?? [], before, isNew])
  const older = (code: string) => {
    const first = { started: '', tasks: [{ id: 'a', code: 'x', before: 0 }], changes }
    return blocksOfOtherCode([first], { id: 'a', code, before: state.done }).map(({ blocks, isExact }) => [
      blocks,
      isExact,
    ])
  }
  return { state, start, lease, finish, giveBack, end, forget, noted, older }
}

describe('the code that workers load', () => {
  it('is not mentioned as long as it is the same, or if no worker has loaded it', () => {
    const run = watched()
    run.start('w1')
    run.lease('w1')
    run.finish('w1')
    run.state.code = 'y'
    run.lease('w1')
    run.finish('w1')
    run.end('w1')
    assert.deepEqual(run.noted(), [])
    assert.deepEqual([run.older('x'), run.older('y')], [[], [[2, true]]])
  })

  it('is noted with the first block of a worker that comes later; while older workers go on, blocks may be of either', () => {
    const run = watched()
    for (const worker of ['w1', 'w2']) run.start(worker)
    for (const worker of ['w1', 'w2']) run.lease(worker)
    for (const worker of ['w1', 'w2']) run.finish(worker, 3)
    run.state.code = 'y'
    run.end('w1')
    run.start('w3')
    assert.deepEqual(run.noted(), [])
    run.lease('w3')
    run.finish('w3')
    run.finish('w2')
    run.end('w2')
    run.finish('w3', 5)
    assert.deepEqual(run.noted(), [
      ['y', ['x'], 6, true],
      ['y', [], 8, false],
    ])
    assert.deepEqual([run.older('y'), run.older('x')], [[[8, false]], [[7, false]]])
  })

  it('is noted again when it is changed back', () => {
    const run = watched()
    run.start('w1')
    run.lease('w1')
    run.finish('w1', 4)
    run.end('w1')
    run.state.code = 'y'
    run.start('w2')
    run.lease('w2')
    run.finish('w2', 4)
    run.end('w2')
    run.state.code = 'x'
    run.start('w3')
    run.lease('w3')
    run.finish('w3', 2)
    assert.deepEqual(run.noted(), [
      ['y', [], 4, true],
      ['x', [], 8, true],
    ])
    assert.deepEqual([run.older('x'), run.older('y')], [[[4, true]], [[6, true]]])
  })

  it('may be either if it was changed before the first block was done', () => {
    const run = watched()
    run.start('w1')
    run.lease('w1')
    run.state.code = 'y'
    run.finish('w1', 2)
    run.finish('w1', 2)
    assert.deepEqual(run.noted(), [['y', ['x'], 0, true]])
    assert.deepEqual([run.older('x'), run.older('y')], [[[4, false]], [[4, false]]])
  })

  it('is read again when a worker has given blocks back, since its process may be another one', () => {
    const run = watched()
    run.start('w1')
    run.lease('w1')
    run.finish('w1')
    run.giveBack('w1')
    run.state.code = 'y'
    run.lease('w1')
    run.finish('w1')
    assert.deepEqual(run.noted(), [['y', ['x'], 1, true]])
  })

  it('of a worker that reconnects after the start of the run may be that of the start before', () => {
    const run = watched({ earlierCode: ['w'] })
    run.lease('w1')
    run.finish('w1')
    assert.deepEqual(run.noted(), [['x', ['w'], 0, false]])
    assert.deepEqual(run.older('x'), [[1, false]])
  })

  it('is unknown of the blocks that are left after a reset, but never counted too low', () => {
    const run = watched()
    run.start('w1')
    run.lease('w1')
    run.finish('w1', 30)
    run.end('w1')
    run.state.code = 'y'
    run.start('w2')
    run.lease('w2')
    run.finish('w2', 20)
    run.forget(10)
    run.finish('w2', 10)
    assert.deepEqual([run.older('y'), run.older('x')], [[[30, false]], [[30, false]]])
    run.forget(50)
    run.finish('w2', 5)
    assert.deepEqual([run.older('y'), run.older('x')], [[], [[5, true]]])
  })
})
