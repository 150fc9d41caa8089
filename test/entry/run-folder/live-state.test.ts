import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunEvent } from '../../../src/core/events.ts'
import { keepLiveState, readLiveState } from '../../../src/entry/run-folder/run-files.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { until } from '../../support/processes.ts'
import { temporaryFolder } from '../../support/zarr.ts'

const counts = { id: 'a', total: 4, pending: 0, ready: 0, skipped: 0, failed: 0, orphaned: 0 }
const progress = (processing: number, completed: number): RunEvent => ({
  ...{ type: 'progress', seconds: 1, busyWorkers: processing },
  tasks: [{ ...counts, processing, completed }],
  used: { cpuSeconds: 0, peakMemory: 0, bytesRead: 0, bytesWritten: 0 } as never,
})

describe('the live state of a run', () => {
  it('is the last one, even if nothing happens after it for long', async (t) => {
    const folder = await temporaryFolder(t)
    const events = new EventStream()
    using _kept = keepLiveState(folder, events)
    for (const done of [0, 1, 2]) events.emit(progress(4 - done, done))
    // It would be written at once only if the file had not been written just before.
    assert.equal(readLiveState(folder)?.tasks[0]?.completed, 0)
    const last = await until('the last state is written', () => readLiveState(folder)?.tasks[0]?.completed === 2)
    assert.ok(last)
  })
})
