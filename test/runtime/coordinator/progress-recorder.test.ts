import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InfrastructureError } from '../../../src/core/errors.ts'
import { isBitSet } from '../../../src/core/scheduling/bitmap.ts'
import type { FailedAttempt, ProgressBatch, RunRecord } from '../../../src/ports/progress-store.ts'
import {
  ProgressRecorder,
  readCompleted,
  readFailedBlocks,
} from '../../../src/runtime/coordinator/progress-recorder.ts'
import { failedAttempt, identityOf, recordedTask } from '../../contracts/progress-store.contract.ts'
import { ManualClock } from '../../support/fake-network.ts'
import { memoryProgress } from '../../support/memory-progress.ts'

/** A recorder of a record in memory, all its commits, and a disk that can be full. */
async function openRecorder() {
  const record = await memoryProgress().open(identityOf(recordedTask('one', 200_000), recordedTask('two', 10)))
  const commits: ProgressBatch[] = []
  const disk = { isFull: false, errors: [] as InfrastructureError[] }
  const watched: RunRecord = {
    ...record,
    async commit(batch) {
      if (disk.isFull) throw new InfrastructureError('DISK_FULL', 'full')
      commits.push(batch)
      await record.commit(batch)
    },
  }
  const clock = new ManualClock()
  const recorder = await ProgressRecorder.load(watched, { clock, onError: (error) => disk.errors.push(error) })
  return { record, recorder, clock, commits, disk }
}

const places = ({ pages }: ProgressBatch) => pages.map(({ task, page }) => [task, page])
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('the recorder of a run', () => {
  it('forgets blocks that are done again, also while it is writing, and what is recorded of them later counts', async () => {
    const { record, recorder } = await openRecorder()
    recorder.recordCompleted(0, [1, 2, 70_000])
    recorder.recordFailure({ ...failedAttempt(), task: 0, block: 5 })
    recorder.forget(0, new Set([2, 5, 70_000]))
    recorder.recordCompleted(0, [70_000])
    assert.ok(!isBitSet(recorder.completed(0), 2))
    await recorder.flush()
    const done = await readCompleted(record, 0)
    assert.deepEqual(
      [1, 2, 5, 70_000].map((block) => isBitSet(done, block)),
      [true, false, false, true],
    )
    assert.deepEqual((await readFailedBlocks(record, 0, done)).blocks, [])
  })

  it('writes what is recorded at once, before the call returns if the store works synchronously', async () => {
    const { recorder, commits } = await openRecorder()
    recorder.recordCompleted(0, [1, 2, 70_000])
    assert.deepEqual(commits.map(places), [
      [
        [0, 0],
        [0, 1],
      ],
    ])
    await settled()
    recorder.recordFailure(failedAttempt())
    assert.equal(commits[1]?.failedAttempts.length, 1)
    await settled()
    recorder.recordCompleted(0, [131_072])
    assert.deepEqual(places(commits[2] as ProgressBatch), [[0, 2]])
    await settled()
    assert.equal(commits.length, 3)
  })

  it('collects what is recorded during a write, and writes it together in the next one', async () => {
    const { record, recorder, commits } = await openRecorder()
    recorder.recordCompleted(0, [1, 70_000])
    recorder.recordCompleted(1, [9])
    recorder.recordFailure(failedAttempt())
    recorder.recordCompleted(0, [3])
    assert.equal(commits.length, 1)
    await settled()
    assert.deepEqual(commits.slice(1).map(places), [
      [
        [0, 0],
        [1, 0],
      ],
    ])
    assert.equal(commits[1]?.failedAttempts.length, 1)
    const bitmap = await readCompleted(record, 0)
    const done = Array.from({ length: 200_000 }, (_, block) => block).filter((block) => isBitSet(bitmap, block))
    assert.deepEqual(done, [1, 3, 70_000])
  })

  it('leaves the thread at least nineteen twentieths of its time if writes block it', async () => {
    const { record } = await openRecorder()
    const clock = new ManualClock()
    let held = 0
    let commits = 0
    const slowDisk: RunRecord = {
      ...record,
      async commit(batch) {
        held += 100
        commits++
        await record.commit(batch)
      },
    }
    const time = { now: () => clock.now() + held, date: () => clock.date(), after: clock.after.bind(clock) }
    const recorder = await ProgressRecorder.load(slowDisk, { clock: time, onError: assert.fail })
    for (const block of [1, 2, 3]) {
      recorder.recordCompleted(0, [block])
      await settled()
    }
    assert.equal(commits, 2, 'an occasional slow write causes no pause')
    // Each write is followed by a pause of 1900 ms; 2000 ms are allowed in advance.
    await clock.pass(1699)
    assert.equal(commits, 2)
    recorder.recordCompleted(0, [4])
    await clock.pass(1)
    assert.equal(commits, 3)
    assert.equal((await readCompleted(record, 0))[0], 0b11110)
    recorder.recordCompleted(0, [5])
    await recorder.flush()
    assert.equal(commits, 4, 'a flush does not wait for the pause')
  })

  it('leaves the thread 98 % of its time if writes are quick but many', async () => {
    const { record } = await openRecorder()
    const clock = new ManualClock()
    let held = 0
    let commits = 0
    const disk: RunRecord = {
      ...record,
      async commit(batch) {
        held += 5
        commits++
        await record.commit(batch)
      },
    }
    const time = { now: () => clock.now() + held, date: () => clock.date(), after: clock.after.bind(clock) }
    const recorder = await ProgressRecorder.load(disk, { clock: time, onError: assert.fail })
    for (let block = 0; block < 30; block++) {
      recorder.recordCompleted(0, [block])
      await settled()
    }
    // Each write is followed by a pause of 245 ms; 2000 ms are allowed in advance.
    assert.equal(commits, 9)
    await clock.pass(164)
    assert.equal(commits, 9)
    await clock.pass(1)
    assert.equal(commits, 10)
    await recorder.flush()
  })

  it('loads what was recorded before, as the bitmaps that the scheduler takes', async () => {
    const { record, recorder } = await openRecorder()
    recorder.recordCompleted(0, [0, 199_999])
    await recorder.flush()
    const again = await ProgressRecorder.load(record, { clock: new ManualClock(), onError: assert.fail })
    assert.equal(again.completed(0).length, 25_000)
    assert.equal(again.completedCount(0), 2)
    assert.equal(again.completedCount(1), 0)
    assert.ok(isBitSet(again.completed(0), 0) && isBitSet(again.completed(0), 199_999))
    again.recordCompleted(0, [5])
    await again.flush()
    assert.equal(
      (await ProgressRecorder.load(record, { clock: new ManualClock(), onError: assert.fail })).completedCount(0),
      3,
    )
  })

  it('reports once that it cannot write, and writes everything when it can again', async () => {
    const { record, recorder, disk } = await openRecorder()
    disk.isFull = true
    recorder.recordCompleted(0, [1])
    recorder.recordFailure(failedAttempt({ block: 1 }))
    await settled()
    recorder.recordCompleted(0, [2])
    recorder.recordFailure(failedAttempt({ block: 2 }))
    await settled()
    assert.deepEqual(
      disk.errors.map(({ code }) => code),
      ['DISK_FULL'],
    )
    await assert.rejects(recorder.flush(), { code: 'DISK_FULL' })
    disk.isFull = false
    await recorder.flush()
    const bitmap = await readCompleted(record, 0)
    assert.equal(bitmap[0], 0b110)
    const attempts: number[] = []
    for await (const { block } of record.failedAttempts(0)) attempts.push(block)
    assert.deepEqual(attempts, [1, 2])
  })

  it('writes one batch at a time, and a flush includes what was recorded during a write', async () => {
    const { record } = await openRecorder()
    const release: (() => void)[] = []
    const slow: RunRecord = {
      ...record,
      async commit(batch) {
        await new Promise<void>((resolve) => release.push(resolve))
        await record.commit(batch)
      },
    }
    const clock = new ManualClock()
    const recorder = await ProgressRecorder.load(slow, { clock, onError: assert.fail })
    recorder.recordCompleted(0, [1])
    recorder.recordCompleted(0, [70_000])
    const flushed = recorder.flush()
    await settled()
    assert.equal(release.length, 1)
    release[0]?.()
    await settled()
    assert.equal(release.length, 2)
    release[1]?.()
    await flushed
    const bitmap = await readCompleted(record, 0)
    assert.ok(isBitSet(bitmap, 1) && isBitSet(bitmap, 70_000))
  })

  it('stops waiting for a lost server when the caller aborts', async () => {
    const { record } = await openRecorder()
    const lost: RunRecord = {
      ...record,
      commit: (_, { signal } = {}) =>
        new Promise((_, reject) => {
          const giveUp = () => reject(new InfrastructureError('CONNECTION_LOST', 'gone'))
          if (signal?.aborted) giveUp()
          signal?.addEventListener('abort', giveUp)
        }),
    }
    const clock = new ManualClock()
    const errors: unknown[] = []
    const recorder = await ProgressRecorder.load(lost, { clock, onError: (error) => errors.push(error.code) })
    recorder.recordCompleted(0, [1])
    const giveUp = new AbortController()
    const flushed = recorder.flush({ signal: giveUp.signal })
    await settled()
    giveUp.abort()
    await assert.rejects(flushed, { code: 'CONNECTION_LOST' })
    assert.deepEqual(errors, ['CONNECTION_LOST'])
    await recorder[Symbol.asyncDispose]()
  })

  it('writes what is left when it is disposed, and can be disposed twice', async () => {
    const { recorder, commits, disk } = await openRecorder()
    disk.isFull = true
    recorder.recordCompleted(1, [4])
    await settled()
    disk.isFull = false
    await recorder[Symbol.asyncDispose]()
    await recorder[Symbol.asyncDispose]()
    assert.deepEqual(commits.map(places), [[[1, 0]]])
  })
})

describe('the failed blocks of a record', () => {
  it('are those whose last attempt was final and that were not completed since', async () => {
    const { record, recorder } = await openRecorder()
    const attempts = [
      failedAttempt({ block: 1, attempt: 1 }),
      failedAttempt({ block: 2, attempt: 3, isFinal: true }),
      failedAttempt({ block: 3, attempt: 3, isFinal: true }),
      failedAttempt({ block: 1, attempt: 2, isFinal: true, host: 'here' }),
      failedAttempt({ block: 4, attempt: 1, isFinal: true }),
      // Continued: 2 is completed, 3 is being retried, 4 has failed again.
      failedAttempt({ block: 3, attempt: 1 }),
      failedAttempt({ block: 4, attempt: 1, isFinal: true, host: 'there' }),
    ]
    for (const failed of attempts) recorder.recordFailure(failed)
    recorder.recordCompleted(0, [2])
    await recorder.flush()
    const completed = await readCompleted(record, 0)
    assert.deepEqual(await readFailedBlocks(record, 0, completed), {
      blocks: [1, 4],
      lastAttempts: [attempts[3], attempts[6]],
    })
    assert.deepEqual(await readFailedBlocks(record, 0, completed, 1), { blocks: [1, 4], lastAttempts: [attempts[3]] })
  })
})

describe('a record that others have changed', () => {
  for (const [field, change] of [
    ['block', { block: 200_000 }],
    ['block', { block: -1 }],
    ['attempt', { attempt: 0.5 }],
    ['code', { error: { code: 5, message: '' } }],
    ['message', { error: { code: 'BLOCK_FAILED', message: null } }],
    ['stack', { error: { code: 'BLOCK_FAILED', message: '', stack: 1 } }],
    ['workerId', { workerId: null }],
    ['host', { host: {} }],
    ['durationMs', { durationMs: 'x' }],
    ['time', { time: 1e300 }],
  ] as const) {
    it(`is reported as damaged if a failed attempt has ${JSON.stringify(change)}`, async () => {
      const { record } = await openRecorder()
      const failed = { ...failedAttempt({ isFinal: true }), ...change } as unknown as FailedAttempt
      await record.commit({ pages: [], failedAttempts: [failed] })
      await assert.rejects(readFailedBlocks(record, 0, new Uint8Array(25_000)), {
        code: 'CORRUPT_DATA',
        message: new RegExp(`"${field}" of a failed attempt of task "one" was changed`),
      })
    })
  }

  it('is an error in words if its blocks fit into no memory', async () => {
    const { record } = await openRecorder()
    const identity = { ...record.identity, tasks: [recordedTask('one', 2 ** 53 - 1)] }
    await assert.rejects(readCompleted({ ...record, identity }, 0), {
      code: 'IO_ERROR',
      message: /9007199254740991 blocks, whose states do not fit into memory/,
    })
  })
})
