import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { serveMetrics } from '../../../src/entry/pages/serve-metrics.ts'
import { EventStream } from '../../../src/runtime/coordinator/event-stream.ts'
import { settle } from '../../support/fake-network.ts'
import { line, startManual } from '../../support/manual-run.ts'

describe('the metrics of a run', () => {
  it('grow while workers are running, by what these report, and count nothing twice when they end', async () => {
    const events = new EventStream()
    await using metrics = await serveMetrics({ host: '127.0.0.1', port: 0 }, events)
    const numberOf = async (name: string) => {
      const text = await (await fetch(metrics.address)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    }
    const all = async () => [
      await numberOf('bellis_read_bytes_total'),
      await numberOf('bellis_written_bytes_total'),
      await numberOf('bellis_worker_peak_memory_bytes'),
    ]
    const run = await startManual([line({ blocks: 4 }, { id: 'a' })], { events })
    const [one, two] = [await run.join(), await run.join()]
    const report = async (worker: typeof one, readBytes: number, writtenBytes: number, peakMemory: number) => {
      worker.send({ type: 'usage', readBytes, writtenBytes, peakMemory })
      await settle()
      await run.clock.pass(200)
    }
    await report(one, 100, 10, 5000)
    assert.deepEqual(await all(), [100, 10, 5000])
    await report(two, 50, 0, 3000)
    await report(one, 300, 30, 6000)
    assert.deepEqual(await all(), [350, 30, 6000])
    await report(one, 200, 30, 100)
    assert.deepEqual((await all())[0], 350, 'a counter never decreases')
    await report(one, 300, 30, 6000)
    await one.finishAll()
    await two.finishAll()
    await run.clock.pass(200)
    assert.deepEqual(await all(), [350, 30, 6000])
    const { workers } = await run.result
    assert.deepEqual([workers.readBytes, workers.writtenBytes], [350, 30])
  })
})
