import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { orderTasks } from '../../../src/core/scheduling/pipeline.ts'

describe('the order of tasks', () => {
  it('puts every task after those that it depends on, and gives the most downstream task the first choice', () => {
    const order = orderTasks([
      { id: 'labels', after: ['twice', 'raw'] },
      { id: 'twice', after: [{ id: 'once' }] },
      { id: 'raw' },
      { id: 'once', after: ['raw', 'raw'] },
      { id: 'alone' },
    ])
    assert.deepEqual(order.upstream, [[1, 2], [3], [], [2], []])
    assert.deepEqual(order.downstream, [[], [0], [0, 3], [1], []])
    assert.deepEqual(order.priority, [0, 1, 3, 2, 4])
    for (const [task, before] of order.upstream.entries()) {
      for (const each of before) assert.ok(order.topological.indexOf(each) < order.topological.indexOf(task))
    }
  })

  it('refuses a cycle, naming its tasks in order and no others', () => {
    const tasks = [
      { id: 'start' },
      { id: 'a', after: ['start', 'c'] },
      { id: 'b', after: ['a'] },
      { id: 'c', after: ['b'] },
      { id: 'end', after: ['c'] },
    ]
    assert.throws(() => orderTasks(tasks), {
      name: 'ConfigError',
      code: 'TASK_CYCLE',
      message: /"a" → "b" → "c" → "a"/,
    })
    assert.throws(() => orderTasks([{ id: 'self', after: ['self'] }]), {
      code: 'TASK_CYCLE',
      message: /"self" → "self"/,
    })
  })

  it('refuses a duplicate id, an unknown dependency, an empty id, no tasks at all, and anything but a list', () => {
    assert.throws(() => orderTasks([{ id: 'a' }, { id: 'a' }]), { code: 'DUPLICATE_TASK_ID', message: /"a"/ })
    assert.throws(() => orderTasks([{ id: 'a', after: ['b'] }]), { code: 'UNKNOWN_TASK', message: /"a".*"b"/ })
    assert.throws(() => orderTasks([{ id: '' }]), { code: 'INVALID_TASK' })
    assert.throws(() => orderTasks([]), { code: 'INVALID_TASK' })
    assert.throws(() => orderTasks({ id: 'a' } as unknown as []), { code: 'INVALID_TASK', message: /array/ })
    assert.throws(() => orderTasks([{ id: 'a' }, { id: 'b', after: 'a' as unknown as [] }]), {
      code: 'INVALID_TASK',
      message: /"b": pass "after" as an array/,
    })
  })
})
