import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { createArray } from 'bellis'
import { convert } from 'bellis/tasks'
import { runTasks } from '../../../../src/entry/cli/tasks/run-tasks.ts'
import { temporaryFolder } from '../../../support/command-line.ts'

it('a run is reported although what is said at its end fails, which is the error of the command', async (t) => {
  using folder = temporaryFolder()
  const input = join(folder.path, 'in.zarr')
  const output = join(folder.path, 'out.zarr')
  await using array = await createArray(input, { shape: [8, 8, 8], dtype: 'uint8', chunkShape: [8, 8, 8] })
  await array.write(array.roi, new Uint8Array(512))
  const printed: string[] = []
  const write = process.stdout.write.bind(process.stdout)
  // The test runner writes bytes.
  const print = (what: string | Uint8Array) => (typeof what === 'string' ? printed.push(what) > 0 : write(what))
  t.mock.method(process.stdout, 'write', print)
  const conclude = () => Promise.reject(new Error('the input has gone'))
  const flags = { pool: { all: 'inline', tasks: {} }, runDir: join(folder.path, 'runs') } as const
  await assert.rejects(runTasks([convert({ input, output })], flags, { conclude }), /^Error: the input has gone$/)
  t.mock.reset()
  assert.match(printed.join(''), /^Written: .*out\.zarr$/m)
})
