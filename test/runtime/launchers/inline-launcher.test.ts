import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { PROTOCOL_VERSION } from '../../../src/core/protocol/messages.ts'
import { breathe, systemClock } from '../../../src/entry/clock.ts'
import { inlineLauncher } from '../../../src/runtime/launchers/inline-launcher.ts'
import { defineTask } from '../../../src/runtime/tasks/define-task.ts'
import { describeWorkerLauncher } from '../../contracts/worker-launcher.contract.ts'
import { noArrays, runInline } from '../../support/inline-run.ts'
import { memoryArray } from '../../support/memory-array.ts'
import { memoryStore } from '../../support/memory-store.ts'

describe('a worker in the process of the run', () => {
  it('reports what its own blocks read and wrote, although all workers share the arrays, and reports no memory', async () => {
    const array = (path: string) => memoryArray({ shape: [60], dtype: 'uint16', chunkShape: [1], path })
    const copy = defineTask({
      name: 'copy',
      config: z.object({}),
      plan: () => ({
        totalRoi: { offset: [0], shape: [60] },
        readRoi: { offset: [0], shape: [1] },
        writeRoi: { offset: [0], shape: [1] },
        readWriteConflict: false,
      }),
      setup: async (_, { arrays }) => {
        const [source, target] = [await arrays.open('source'), await arrays.open('target', { mode: 'r+' })]
        return async ({ readRoi, writeRoi }) => {
          const voxels = await source.read(readRoi)
          await setImmediate()
          await target.write(writeRoi, voxels)
        }
      },
    })
    const arrays = memoryStore({ source: array('source'), target: array('target') })
    const { ok, workers } = await runInline([copy({})], { workers: 3, arrays })
    assert.ok(ok)
    assert.ok(workers.each.filter(({ blocks }) => blocks > 0).length > 1, 'one worker did all blocks')
    for (const { blocks, readBytes, writtenBytes, peakMemory } of workers.each) {
      assert.deepEqual([readBytes, writtenBytes, peakMemory], [2 * blocks, 2 * blocks, 0])
    }
    assert.deepEqual([workers.readBytes, workers.writtenBytes], [120, 120])
  })
})

describeWorkerLauncher('this process', {
  // Its output belongs to the process.
  lastOutput: /^$/,
  ownEnd: /^ended$/,
  disposeEnds: false,
  async open() {
    return {
      launcher: inlineLauncher({ tasks: [], arrays: noArrays, clock: systemClock, breathe }),
      async started({ channel }, workerId) {
        channel?.send({
          type: 'welcome',
          protocol: PROTOCOL_VERSION,
          workerId,
          session: 's',
          heartbeatMs: 0,
          leases: [],
        })
      },
      askToEnd: ({ channel }) => channel?.send({ type: 'drain' }),
    }
  },
})
