import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../../src/core/events.ts'
import type { RunIdentity } from '../../../../src/core/progress/run-identity.ts'
import { isBitSet } from '../../../../src/core/scheduling/bitmap.ts'
import { CommandRelay } from '../../../../src/entry/command-relay.ts'
import type { RunRecord } from '../../../../src/ports/progress-store.ts'
import { ProgressRecorder, readCompleted } from '../../../../src/runtime/coordinator/progress-recorder.ts'
import type { SavedSessions } from '../../../../src/runtime/coordinator/workers/saved-sessions.ts'
import { ManualClock, type ManualWorker, settle } from '../../../support/fake-network.ts'
import { eventsOf, line, startManual } from '../../../support/manual-run.ts'
import { memoryProgress } from '../../../support/memory-progress.ts'

const BLOCKS = 6
const IDENTITY = {
  run: 'run',
  tasks: ['first', 'second'].map((id) => ({ id, blockCount: BLOCKS, grid: '', config: '' })),
} as unknown as RunIdentity

/** A record in memory of which the test says when it forgets. */
async function openRecord() {
  const record = await memoryProgress().open(IDENTITY)
  const cleared: string[] = []
  let gate: Promise<void> | undefined
  const watched: RunRecord = {
    ...record,
    async clear(task, blocks) {
      await gate
      cleared.push(`${task}: ${[...(blocks ?? ['all'])].join(',')}`)
      await record.clear(task, blocks)
    },
  }
  const recorder = await ProgressRecorder.load(watched, { clock: new ManualClock(), onError: assert.fail })
  const done = async (task: number) => {
    const bitmap = await readCompleted(record, task)
    return Array.from({ length: BLOCKS }, (_, block) => block).filter((block) => isBitSet(bitmap, block))
  }
  return {
    recorder,
    cleared,
    done,
    /** Nothing is cleared from now on, until the returned function is called. */
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
  }
}

/** A chain of two tasks; the test plays the workers, which keep the blocks that they are given until they are told to end them. */
async function startChain() {
  const record = await openRecord()
  const commands = new CommandRelay()
  const sessions: SavedSessions[] = []
  const first = line({ blocks: BLOCKS }, { id: 'first' })
  const run = await startManual([first, line({ blocks: BLOCKS }, { id: 'second', after: [first] })], {
    commands,
    progress: { recorder: record.recorder, failed: new AbortController().signal, onRecordStatus: () => {} },
    sessions: { save: (saved) => sessions.push(saved) },
  })
  const reset = (roi?: string, tasks?: readonly string[]) =>
    commands.carryOut({
      type: 'reset',
      ...(roi === undefined ? {} : { roi }),
      ...(tasks === undefined ? {} : { tasks }),
      keepWorkers: false,
    })
  return { ...run, record, reset, sessions }
}

const leased = (seen: readonly RunEvent[], from = 0) =>
  eventsOf(seen.slice(from), 'blocks-leased').map(({ taskId, indices }) => `${taskId} ${indices.join(',')}`)

const current = (worker: ManualWorker) => worker.unfinished as NonNullable<ManualWorker['unfinished']>

/** Has a worker do its leases while they are of one block of the task, until this many of its blocks are done. */
async function doBlocks(worker: ManualWorker, count: number): Promise<void> {
  for (let done = 0; done < count; done++) {
    const lease = current(worker)
    worker.send({ type: 'task-ready', taskId: lease.taskId })
    worker.finish(lease, 1000)
    await settle()
  }
}

describe('a reset of a running run', () => {
  it('has blocks done again, and those that depend on them, once the record has forgotten the latter and then the former', async () => {
    const { seen, join, reset, record, result } = await startChain()
    const worker = await join()
    await doBlocks(worker, 6)
    const before = seen.length
    const release = record.hold()
    const answer = reset('1:2')
    await settle()
    const [event] = eventsOf(seen, 'reset')
    const counts = event?.tasks.map(({ id, completed, failed, running }) => [id, completed, failed, running])
    assert.deepEqual(counts, [
      ['first', 2, 0, 0],
      ['second', 2, 0, 0],
    ])
    await doBlocks(worker, 2)
    assert.ok(
      leased(seen, before).every((text) => !/ [12]$/.test(text)),
      'not before they are forgotten',
    )
    assert.deepEqual(record.cleared, [])
    release()
    assert.equal((await answer).type, 'reset')
    assert.deepEqual(record.cleared, ['1: 1,2', '0: 1,2'])
    await settle()
    await worker.finishAll()
    const { ok, tasks } = await result
    assert.ok(ok, JSON.stringify(tasks))
    for (const task of ['first', 'second']) {
      for (const block of [1, 2]) {
        assert.equal(leased(seen).filter((text) => text === `${task} ${block}`).length, 2, `${task} ${block}`)
      }
    }
    assert.deepEqual(
      [await record.done(0), await record.done(1)],
      [
        [0, 1, 2, 3, 4, 5],
        [0, 1, 2, 3, 4, 5],
      ],
    )
  })

  it('has running blocks given back: nothing is written in the region before their workers have stopped, and what they have done does not count', async () => {
    const { seen, clock, join, reset, record, sessions, result } = await startChain()
    const [one, two] = [await join(), await join()]
    await doBlocks(one, 1)
    // One of them runs block 0 of the second task, which reads block 0 of the first.
    const reader = [one, two].find((worker) => current(worker).taskId === 'second')
    const reading = current(reader as ManualWorker)
    assert.deepEqual(reading.blocks, [0])
    await clock.pass(1000)
    assert.ok(sessions.at(-1)?.sessions.some(({ leases }) => leases.some(({ taskId }) => taskId === 'second')))
    const before = seen.length
    assert.deepEqual(
      ((await reset('0:1')) as Extract<RunEvent, { type: 'reset' }>).tasks.map((task) => [
        task.id,
        task.completed,
        task.running,
      ]),
      [
        ['first', 1, 0],
        ['second', 0, 1],
      ],
    )
    await settle()
    assert.equal(reader?.last('revoked').lease, reading.lease)
    assert.ok(!sessions.at(-1)?.sessions.some(({ leases }) => leases.some(({ taskId }) => taskId === 'second')))
    const other = [one, two].find((worker) => worker !== reader) as ManualWorker
    await doBlocks(other, 1)
    assert.ok(!leased(seen, before).includes('first 0'), 'it is still being read')
    // The worker has finished it before it knew.
    reader?.report(reading.lease, [{ status: 'done', ms: 1000 }])
    await settle()
    assert.deepEqual(await record.done(1), [])
    reader?.send({ type: 'dropped', lease: reading.lease })
    await settle()
    assert.ok(
      eventsOf(seen, 'blocks-returned').some(({ taskId, indices }) => taskId === 'second' && indices[0] === 0),
      'it is returned',
    )
    for (let turn = 0; turn < 20; turn++) {
      for (const worker of [one, two]) if (worker.unfinished !== undefined) await doBlocks(worker, 1)
    }
    for (const worker of [one, two]) await worker.leave()
    const { ok } = await result
    assert.ok(ok)
    assert.equal(leased(seen).filter((text) => text === 'first 0').length, 2)
    assert.equal(leased(seen).filter((text) => text === 'second 0').length, 2)
  })

  it('gives the blocks of a dropped lease to others, and goes on without waiting for blocks elsewhere', async () => {
    const { seen, join, reset } = await startChain()
    const [one, two] = [await join(), await join()]
    const [mine, others] = [current(one), current(two)]
    const [block] = mine.blocks
    await reset(`${block}:1`)
    await settle()
    assert.equal(one.last('revoked').lease, mine.lease)
    assert.deepEqual(two.all('revoked'), [])
    assert.notEqual(others.blocks[0], block)
    const before = seen.length
    one.send({ type: 'dropped', lease: mine.lease })
    await settle()
    assert.ok(
      leased(seen, before).includes(`first ${block}`) || leased(seen, before).length === 1,
      leased(seen, before).join(),
    )
  })

  it('changes nothing where no block has started, and refuses unknown tasks and regions', async () => {
    const { seen, join, reset, record } = await startChain()
    await join()
    assert.deepEqual(await reset('5:1'), { type: 'reset', roi: '5:1', tasks: [] })
    await assert.rejects(reset('0:1', ['third']), { code: 'UNKNOWN_TASK', message: /its tasks are first, second/ })
    await assert.rejects(reset('0,0:1,1'), { code: 'INVALID_ROI' })
    assert.deepEqual(record.cleared, [])
    assert.equal(eventsOf(seen, 'reset').length, 1)
  })
})
