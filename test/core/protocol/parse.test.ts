import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseServerMessage, parseWorkerMessage } from '../../../src/core/protocol/parse.ts'

const error = { code: 'BLOCK_FAILED', message: 'no' }

describe('messages', () => {
  it('of a worker are parsed unchanged', () => {
    for (const message of [
      { type: 'join', protocol: 1, pid: 7, host: 'here' },
      {
        type: 'join',
        protocol: 1,
        worker: 'w1',
        session: 's',
        leases: [3, 4],
        pid: 7,
        host: 'here',
        rois: true,
      },
      { type: 'dropped', lease: 3 },
      { type: 'heartbeat' },
      { type: 'task-ready', taskId: 'a' },
      {
        type: 'outcomes',
        lease: 3,
        outcomes: [
          { status: 'done', ms: 1.5 },
          { status: 'failed', ms: 2, error },
          { status: 'skipped' },
          { status: 'returned' },
        ],
      },
      { type: 'setup-failed', taskId: 'a', error },
      { type: 'goodbye' },
    ]) {
      assert.deepEqual(parseWorkerMessage(message), message)
    }
  })

  it('of the coordinator are parsed unchanged', () => {
    for (const message of [
      {
        type: 'welcome',
        protocol: 1,
        workerId: 'w1',
        session: 's',
        heartbeatMs: 10_000,
        leases: [{ lease: 3, reported: 2 }],
      },
      { type: 'revoked', lease: 3 },
      { type: 'heartbeat' },
      { type: 'refused', code: 'UNAUTHORIZED', message: 'no' },
      { type: 'lease', lease: 1, taskId: 'a', blocks: [0, 2 ** 40] },
      {
        type: 'lease',
        lease: 1,
        taskId: 'a',
        blocks: [7],
        rois: [{ read: { offset: [-3, 0], shape: [9, 9] }, write: { offset: [0, 0], shape: [3, 9] } }],
      },
      { type: 'drain' },
    ]) {
      assert.deepEqual(parseServerMessage(message), message)
    }
  })

  it('describe a task to a program without a module and a grid', () => {
    const task = { id: 'a', config: { sigma: 2 }, unit: 'nm', folder: '/here', resources: { gpu: [0, 3] } }
    assert.deepEqual(parseServerMessage({ type: 'task', task }), {
      type: 'task',
      task: { ...task, module: '', name: 'a' },
    })
    const wrongUnits = [{ resources: [3] }, { resources: { gpu: 3 } }, { resources: { gpu: [-1] } }]
    for (const wrong of [{ id: 7 }, { unit: null }, { module: 1 }, { grid: 'none' }, ...wrongUnits]) {
      assert.throws(() => parseServerMessage({ type: 'task', task: { ...task, ...wrong } }), { code: 'PROTOCOL_ERROR' })
    }
  })

  it('are refused with the name of the invalid field', () => {
    for (const [message, field] of [
      [null, 'message'],
      ['goodbye', 'message'],
      [[], 'message'],
      [{ type: 'constructor' }, 'type'],
      [{ type: 'join', protocol: '1', pid: 7, host: 'here' }, 'protocol'],
      [{ type: 'join', protocol: 1, pid: -7, host: 'here' }, 'pid'],
      [{ type: 'outcomes', lease: 1 }, 'outcomes'],
      [{ type: 'outcomes', lease: 1, outcomes: [{ status: 'done' }] }, 'ms'],
      [{ type: 'outcomes', lease: 1, outcomes: [{ status: 'done', ms: Number.NaN }] }, 'ms'],
      [{ type: 'outcomes', lease: 1, outcomes: [{ status: 'great', ms: 1 }] }, 'status'],
      [{ type: 'outcomes', lease: 1, outcomes: [{ status: 'failed', ms: 1, error: 'no' }] }, 'error'],
      [{ type: 'outcomes', lease: 1, outcomes: new Array(100_000).fill({ status: 'skipped' }) }, 'outcomes'],
    ] as const) {
      assert.throws(
        () => parseWorkerMessage(message),
        (thrown: Error & { code?: string }) => {
          assert.equal(thrown.code, 'PROTOCOL_ERROR')
          assert.match(thrown.message, new RegExp(`"${field}"`))
          return true
        },
      )
    }
    const lease = { type: 'lease', lease: 1, taskId: 'a', blocks: [1] }
    const box = { offset: [0], shape: [1] }
    for (const wrong of [
      { blocks: [-1] },
      { rois: [] },
      { rois: [{ read: box }] },
      { rois: [{ read: box, write: { offset: [0], shape: [1, 1] } }] },
      { rois: [{ read: box, write: { offset: [0.5], shape: [1] } }] },
    ]) {
      assert.throws(() => parseServerMessage({ ...lease, ...wrong }), { code: 'PROTOCOL_ERROR' })
    }
  })

  it('are shortened if their texts are megabytes long', () => {
    const message = parseWorkerMessage({
      type: 'setup-failed',
      taskId: 'a',
      error: { code: 'X', message: 'x'.repeat(1e6) },
    })
    assert.ok(message.type === 'setup-failed' && message.error.message.length < 1e5)
  })
})
