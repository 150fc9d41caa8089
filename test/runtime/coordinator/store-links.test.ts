import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { InfrastructureError } from '../../../src/core/errors.ts'
import type { RunEvent, StoreStatus } from '../../../src/core/events.ts'
import type { RunRecord } from '../../../src/ports/progress-store.ts'
import { ProgressRecorder } from '../../../src/runtime/coordinator/progress-recorder.ts'
import type { RunProgress } from '../../../src/runtime/coordinator/run-options.ts'
import { identityOf, recordedTask } from '../../contracts/progress-store.contract.ts'
import { ManualClock, settle } from '../../support/fake-network.ts'
import { line, runInline } from '../../support/inline-run.ts'
import { memoryProgress } from '../../support/memory-progress.ts'

/** A store on a server that can be lost. Writes wait until it is back. */
async function lossyStore(blocks: number, clock: ManualClock) {
  const record = await memoryProgress().open(identityOf(recordedTask('a', blocks)))
  let back = Promise.withResolvers<void>()
  let isLost = false
  const lossy: RunRecord = {
    ...record,
    async commit(batch, { signal } = {}) {
      const gaveUp = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()))
      if (isLost && !signal?.aborted) await Promise.race([back.promise, gaveUp])
      if (isLost) throw new InfrastructureError('CONNECTION_LOST', 'No server answers.')
      await record.commit(batch)
    },
  }
  const failing = new AbortController()
  const recorder = await ProgressRecorder.load(lossy, { clock, onError: (error) => failing.abort(error) })
  let tell = (_: StoreStatus) => {}
  const progress: RunProgress = {
    recorder,
    failed: failing.signal,
    onRecordStatus(receive) {
      tell = receive
    },
  }
  return {
    progress,
    /** The server becomes slow, which is not reported to the user. */
    slowDown() {
      tell({ status: 'slow' })
    },
    lose() {
      isLost = true
      back = Promise.withResolvers()
      tell({ status: 'lost', message: 'No server answers.' })
    },
    comeBack() {
      isLost = false
      tell({ status: 'back', message: 'It is back.' })
      back.resolve()
    },
  }
}

describe('a run whose store is out of reach', () => {
  it('hands out no block until the store is back, and then blocks to every worker', async () => {
    const clock = new ManualClock()
    const store = await lossyStore(40, clock)
    const events: RunEvent[] = []
    const lost = Promise.withResolvers<void>()
    const result = runInline(
      [
        line('a', 40, async () => {
          if (events.filter(({ type }) => type === 'blocks-done').length !== 5) return
          store.lose()
          lost.resolve()
        }),
      ],
      { workers: 3, clock, progress: store.progress, onEvent: (event) => events.push(event) },
    )
    await lost.promise
    await settle()
    const sentBefore = events.filter(({ type }) => type === 'blocks-leased').length
    const doneBefore = events.filter(({ type }) => type === 'blocks-done').length
    assert.ok(doneBefore < 40)
    await clock.pass(600_000)
    assert.equal(events.filter(({ type }) => type === 'blocks-leased').length, sentBefore)
    store.comeBack()
    const { ok, tasks } = await result
    assert.ok(ok)
    assert.equal(tasks[0]?.completed, 40)
    const after = events.slice(events.findIndex((event) => event.type === 'store' && event.status === 'back'))
    const workers = after.flatMap((event) => (event.type === 'blocks-leased' ? [event.workerId] : []))
    assert.equal(new Set(workers).size, 3, 'those that had finished meanwhile are not forgotten')
  })

  it('hands out no block while the store is slow, and reports nothing', async () => {
    const clock = new ManualClock()
    const store = await lossyStore(20, clock)
    const events: RunEvent[] = []
    const slow = Promise.withResolvers<void>()
    const result = runInline(
      [
        line('a', 20, async () => {
          if (events.filter(({ type }) => type === 'blocks-done').length !== 5) return
          store.slowDown()
          slow.resolve()
        }),
      ],
      { workers: 2, clock, progress: store.progress, onEvent: (event) => events.push(event) },
    )
    await slow.promise
    await settle()
    const sent = events.filter(({ type }) => type === 'blocks-leased').length
    assert.ok(events.filter(({ type }) => type === 'blocks-done').length < 20)
    await clock.pass(10_000)
    assert.equal(events.filter(({ type }) => type === 'blocks-leased').length, sent)
    store.comeBack()
    assert.ok((await result).ok)
    assert.deepEqual(
      events.filter(({ type }) => type === 'store'),
      [],
    )
  })

  it('is not over before its last blocks are recorded, however long that takes', async () => {
    const clock = new ManualClock()
    const store = await lossyStore(3, clock)
    let isOver = false
    const started = Promise.withResolvers<void>()
    const result = runInline(
      [
        line('a', 3, ({ index }) => {
          if (index < 2) return
          store.lose()
          started.resolve()
        }),
      ],
      { workers: 1, clock, progress: store.progress },
    ).finally(() => {
      isOver = true
    })
    await started.promise
    await clock.pass(600_000)
    assert.ok(!isOver)
    store.comeBack()
    assert.ok((await result).ok)
    assert.equal(store.progress.recorder.completedCount(0), 3)
  })

  it('waits only some seconds for the store once it is stopped, and reports why the record is incomplete', async () => {
    const clock = new ManualClock()
    const store = await lossyStore(3, clock)
    const stopping = new AbortController()
    let isOver = false
    const started = Promise.withResolvers<void>()
    const result = runInline(
      [
        line('a', 3, ({ index }) => {
          if (index < 2) return
          store.lose()
          started.resolve()
        }),
      ],
      { workers: 1, clock, progress: store.progress, signal: stopping.signal },
    ).finally(() => {
      isOver = true
    })
    await started.promise
    await clock.pass(600_000)
    stopping.abort()
    await clock.pass(4999)
    assert.ok(!isOver)
    await clock.pass(1)
    const { ok, error } = await result
    assert.ok(!ok)
    assert.equal(error?.code, 'CONNECTION_LOST')
  })
})
