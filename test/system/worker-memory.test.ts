import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createArray, type DType, planTasks, runBlockwise, type TaskLike } from 'bellis'
import { convert, downsample, label, map, reduce, smooth } from 'bellis/tasks'
import twice from '../../examples/chain.ts'
import equalize from '../../examples/equalize.ts'
import invert from '../../examples/invert.ts'
import { workerMemory } from '../../src/entry/workers/worker-memory.ts'
import edges from '../../templates/task/task.ts'
import { temporaryFolder } from '../support/command-line.ts'

/** How far the peak of a worker may be from the plan, as the documents say: what the garbage collector keeps varies by some 10 %. */
const TOLERANCE = 0.2
const LENGTH = 256
/** The input for tasks of users, which process a voxel at a time. */
const SHORT = 128

const cube = (length: number) => [length, length, length]
const folder = temporaryFolder()
const inputs = new Map<DType, string>()
/** An input for tasks with many blocks. */
const LONG = [64, 1024, 1024]
const at = (name: string) => join(folder.path, name)

before(async () => {
  for (const dtype of ['uint8', 'float32'] as const) inputs.set(dtype, await writeInput(dtype, dtype, cube(LENGTH)))
  await writeInput('short', 'uint8', cube(SHORT))
  await writeInput('long', 'uint8', LONG)
})

async function writeInput(name: string, dtype: 'uint8' | 'float32', shape: number[]): Promise<string> {
  await using array = await createArray(at(`${name}.zarr`), { shape, dtype, chunkShape: cube(64) })
  const length = shape.reduce((product, side) => product * side, 1)
  const voxels = dtype === 'uint8' ? new Uint8Array(length) : new Float32Array(length)
  for (let i = 0; i < voxels.length; i++) voxels[i] = Math.imul(i, 0x9e3779b1) >>> 25
  await array.write(array.roi, voxels)
  return array.path
}
after(() => folder[Symbol.dispose]())

/** Tasks with small and large blocks, with and without context, that read, write, or both. */
const CASES: readonly (readonly [
  name: string,
  dtype: DType,
  make: (input: string, output: string) => TaskLike | readonly TaskLike[],
])[] = [
  ['convert to chunks of 64', 'float32', (input, output) => convert({ input, output, chunk: cube(64) })],
  ['convert to chunks of 128', 'float32', (input, output) => convert({ input, output, chunk: cube(128) })],
  ['convert to N5', 'float32', (input, output) => convert({ input, output: output.replace('.zarr', '.n5') })],
  ['convert to N5', 'uint8', (input, output) => convert({ input, output: output.replace('.zarr', '.n5') })],
  [
    'convert a small part',
    'uint8',
    (input, output) => convert({ input, output, roi: '0:128,0:128,0:128', chunk: cube(64) }),
  ],
  ['convert to a shard', 'float32', (input, output) => convert({ input, output, chunk: cube(64), shard: cube(256) })],
  ['smooth blocks of 64', 'uint8', (input, output) => smooth({ input, output, sigma: 2, blockWrite: cube(64) })],
  ['smooth blocks of 64', 'float32', (input, output) => smooth({ input, output, sigma: 2, blockWrite: cube(64) })],
  ['smooth blocks of 128', 'float32', (input, output) => smooth({ input, output, sigma: 2, blockWrite: cube(128) })],
  ['map', 'uint8', (input, output) => map({ input, output, expr: 'x + 1' })],
  ['map', 'float32', (input, output) => map({ input, output, expr: 'x + 1' })],
  ['reduce blocks of 64', 'float32', (input, output) => reduce({ input, output, block: cube(64) })],
  ['reduce blocks of 256', 'float32', (input, output) => reduce({ input, output, block: cube(256) })],
  ['downsample', 'float32', (input, output) => downsample({ input, output, factor: cube(2) })],
  ['label', 'uint8', (input, output) => label({ input, output })],
  ['map many blocks', 'uint8', (_, output) => map({ input: at('long.zarr'), output, expr: 'x + 1' })],
  ['label many blocks', 'uint8', (_, output) => label({ input: at('long.zarr'), output })],
  ['smooth twice', 'uint8', (_, output) => twice({ input: at('long.zarr'), output, sigma: 2 })],
  ['smooth twice', 'float32', (input, output) => twice({ input, output, sigma: 2 })],
  ['a task of the template', 'uint8', (_, output) => edges({ input: at('short.zarr'), output })],
  ['an example without context', 'uint8', (_, output) => invert({ input: at('short.zarr'), output })],
  ['an example with a long set-up', 'uint8', (_, output) => equalize({ input: at('short.zarr'), output })],
]

describe('the memory of a worker', {
  skip: process.platform === 'linux' ? false : 'other systems count memory in other ways',
}, () => {
  for (const [name, dtype, make] of CASES) {
    it(`is what the plan says: ${name}, ${dtype}`, async () => {
      const tasks = [make(inputs.get(dtype) as string, at(`out.zarr/${name.replaceAll(' ', '-')}-${dtype}`))].flat()
      const planned = await planTasks(tasks)
      const setting = { workers: 1, sharesProcess: false }
      const expected = workerMemory(planned.tasks, setting)
      const { ok, workers } = await runBlockwise(tasks, { workers: 1, pool: 'process', runDir: at('runs') })
      assert.ok(ok)
      const ratio = workers.peakMemory / expected
      const said = `planned ${(expected / 1e6).toFixed(0)} MB, took ${(workers.peakMemory / 1e6).toFixed(0)} MB (${ratio.toFixed(2)})`
      if (process.env.SHOW_MEMORY) console.log(`${name} ${dtype}: ${said}`)
      assert.ok(Math.abs(ratio - 1) <= TOLERANCE, said)
    })
  }
})
