import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { sqliteProgress } from '../../../src/adapters/sqlite/sqlite-progress.ts'
import { openArray } from '../../../src/entry/arrays.ts'
import { defineTask, z } from '../../../src/entry/index.ts'
import { runBlockwise } from '../../../src/entry/run.ts'
import { confirmsRecord, readMark } from '../../../src/entry/run-folder/output-mark.ts'
import { resetRunning } from '../../../src/entry/run-folder/reset-run.ts'
import type { RunOptions } from '../../../src/entry/run-options.ts'
import { temporaryFolder } from '../../support/command-line.ts'
import { until } from '../../support/processes.ts'

const LENGTH = 110

/** Adds one to its input, or writes ones. Fails at the blocks from `stopAt` on. */
const increase = defineTask({
  name: 'increase',
  config: z.object({ input: z.string().optional(), output: z.string() }),
  async plan({ output }, { arrays }) {
    const array = await arrays.create(output, { shape: [LENGTH], chunkShape: [1], dtype: 'uint8', codec: 'raw' })
    const block = { offset: [0], shape: [1] }
    return { totalRoi: array.roi, readRoi: block, writeRoi: block, readWriteConflict: false, writes: [array] }
  },
  async setup({ input, output }, { arrays }) {
    const from = input === undefined ? undefined : await arrays.open(input)
    const to = await arrays.open(output, { mode: 'r+' })
    return async ({ index, readRoi, writeRoi }) => {
      if (index >= stopAt) throw new Error(`stopped at ${index}`)
      await atBlock(input === undefined ? 'first' : 'second', index)
      const value = from === undefined ? 0 : Number((await from.read(readRoi)).data[0])
      await to.write(writeRoi, Uint8Array.of(value + 1))
    }
  },
})
let stopAt = LENGTH
let atBlock: (task: 'first' | 'second', index: number) => unknown = () => {}

/** A folder with a run of one or two tasks, and what of it is copied and put back. */
function places({ isTransient = false } = {}) {
  const folder = temporaryFolder()
  const place = (name: string) => join(folder.path, 'out.zarr', name)
  const runs = join(folder.path, 'runs')
  const warnings: string[] = []
  const first = increase({ output: place('first') }, { id: 'first', ...(isTransient ? { transient: true } : {}) })
  const second = increase({ input: place('first'), output: place('second') }, { id: 'second', after: [first] })
  const options: RunOptions = {
    pool: 'inline',
    workers: 1,
    maxRetries: 0,
    maxFailures: 1,
    progress: 'sqlite',
    runDir: runs,
    onEvent: (event) => event.type === 'warning' && warnings.push(event.message),
  }
  const start = async () =>
    (await runBlockwise(isTransient ? second : first, options)).tasks.map(({ skipped }) => skipped)
  const voxels = async (name = isTransient ? 'second' : 'first') => {
    await using array = await openArray(place(name))
    return new Set((await array.read(array.roi)).data as Uint8Array)
  }
  const record = () => join(runs, readdirSync(runs)[0] as string)
  const copy = (from: string, name: string) => {
    cpSync(from, join(folder.path, name), {
      recursive: true,
      // Others are written beside them.
      filter: (path) =>
        path.startsWith(record()) ? path === record() || /sqlite(-wal)?$/.test(path) : !path.endsWith('.bellis-lock'),
    })
  }
  const putBack = (name: string, to: string) => {
    if (to === record())
      for (const file of ['', '-wal', '-shm']) rmSync(join(to, `progress.sqlite${file}`), { force: true })
    else rmSync(to, { recursive: true, force: true })
    cpSync(join(folder.path, name), to, { recursive: true })
  }
  /** Whether a copy of the record is believed for an output as it is now. */
  const isBelieved = async (name: string, output: string) => {
    // First, and at once: a run may go on meanwhile.
    const mark = await readMark(place(output))
    await using store = sqliteProgress(join(folder.path, name, 'progress.sqlite'))
    await using reader = await store.read('')
    const { run = '', lineage, id } = reader?.identity ?? {}
    assert.equal(mark?.id, id)
    return confirmsRecord(mark, { id, lineage, run, folder: '' })
  }
  return { ...folder, place, isBelieved, start, voxels, record, copy, putBack, warnings }
}

describe('a record or an output that is put back', () => {
  it('R10: a record is not believed for an output that was made again since', async () => {
    using at = places()
    await at.start()
    at.copy(at.record(), 'kept')
    rmSync(at.place('first'), { recursive: true })
    stopAt = 3
    await at.start()
    stopAt = LENGTH
    at.putBack('kept', at.record())
    at.warnings.length = 0
    assert.deepEqual(await at.start(), [0])
    assert.match(at.warnings.join(), /first: its output .*first or its record was put back to an earlier state; all of/)
    assert.deepEqual(await at.voxels(), new Set([1]))
    assert.deepEqual(await at.start(), [LENGTH])
  })

  it('R10: an output is not believed if blocks were done since it was copied, and left out of what was put back', async () => {
    using at = places()
    stopAt = 3
    await at.start()
    stopAt = LENGTH
    at.copy(at.place('first'), 'kept')
    assert.deepEqual(await at.start(), [3])
    at.putBack('kept', at.place('first'))
    assert.deepEqual(await at.start(), [0])
    assert.deepEqual(await at.voxels(), new Set([1]))
  })

  it('R10: an output that was copied while a run wrote it is not believed once that run has ended', async () => {
    using at = places()
    atBlock = (_, index) => index === 30 && at.copy(at.place('first'), 'kept')
    await at.start()
    atBlock = () => {}
    at.putBack('kept', at.place('first'))
    assert.deepEqual(await at.start(), [0])
    assert.deepEqual(await at.voxels(), new Set([1]))
  })

  it('R10: both are believed if they are put back together', async () => {
    using at = places()
    stopAt = 3
    await at.start()
    stopAt = LENGTH
    at.copy(at.record(), 'record')
    at.copy(at.place('first'), 'output')
    await at.start()
    at.putBack('record', at.record())
    at.putBack('output', at.place('first'))
    at.warnings.length = 0
    assert.deepEqual(await at.start(), [3])
    assert.deepEqual(at.warnings, [])
    assert.deepEqual(await at.voxels(), new Set([1]))
  })

  it('R10: a record from before a reset during the run is not believed as soon as blocks are done again', async () => {
    using at = places()
    const seen: boolean[] = []
    atBlock = async (_, index) => {
      // Once: it is done again, too, if its lease has unreported blocks that are forgotten.
      if (index === 30 && seen.length === 0) {
        at.copy(at.record(), 'kept')
        seen.push(await at.isBelieved('kept', 'first'))
        await resetRunning(at.record(), { roi: '0:10', keepWorkers: true })
      } else if (index < 10 && seen.length === 1) seen.push(await at.isBelieved('kept', 'first'))
    }
    await at.start()
    atBlock = () => {}
    assert.deepEqual(seen, [true, false])
  })

  it('R10: a record is not believed once transient chunks were removed that it does not know of', async () => {
    using at = places({ isTransient: true })
    const seen: boolean[] = []
    const removed = (index: number) => until('removed', () => !existsSync(join(at.place('first'), 'c', `${index}`)))
    atBlock = async (task, index) => {
      if (task !== 'second' || (index !== 30 && index !== 100)) return
      await removed(index === 30 ? 0 : 50)
      if (index === 30) at.copy(at.record(), 'kept')
      seen.push(await at.isBelieved('kept', 'first'))
    }
    await at.start()
    atBlock = () => {}
    assert.deepEqual(seen, [true, false])
    at.putBack('kept', at.record())
    await at.start()
    assert.deepEqual(await at.voxels(), new Set([2]))
  })
})
