import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseCommand } from '../../../src/core/control/commands.ts'

describe('a command from another process', () => {
  it('keeps the fields that it needs', () => {
    assert.deepEqual(parseCommand({ type: 'stop', now: true, more: 1 }), { type: 'stop', now: true })
    assert.deepEqual(parseCommand({ type: 'stop' }), { type: 'stop', now: false })
    assert.deepEqual(parseCommand({ type: 'scale', workers: 3, by: 'me' }), { type: 'scale', workers: 3 })
  })

  it('to retry names a task or none', () => {
    assert.deepEqual(parseCommand({ type: 'retry' }), { type: 'retry', keepWorkers: false })
    assert.deepEqual(parseCommand({ type: 'retry', taskId: 'a', keepWorkers: true }), {
      type: 'retry',
      taskId: 'a',
      keepWorkers: true,
    })
    assert.throws(() => parseCommand({ type: 'retry', taskId: 3 }), { code: 'INVALID_CONFIG' })
  })

  for (const wrong of [
    undefined,
    null,
    'stop',
    [],
    {},
    { type: 'explode' },
    { type: 1 },
    ...[0, -1, 1.5, '2', null, 1e6].map((workers) => ({ type: 'scale', workers })),
  ]) {
    it(`is refused if it is ${JSON.stringify(wrong)}`, () => {
      assert.throws(() => parseCommand(wrong), { code: 'INVALID_CONFIG' })
    })
  }
})
