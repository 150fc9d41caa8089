import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { RunEvent } from '../../src/core/events.ts'
import { openArray } from '../../src/entry/arrays.ts'
import { labelComponents } from '../../src/kernels/labels/components.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { SMOOTHED, sampleForAll } from '../support/smoothed-sample.ts'

// The same for the sample of seed 7, 256 × 64 × 64 voxels, and its result.
const LONG_ONCE = '4ced7499006a3310dc7a961bdd4250593638f33fdf4569dd176aa7ef02a89852'
const LONG_TWICE = 'c7942b74aa113e71526e07769a4406b8fda3d836d76c3d5be7d236c1becd9917'

const raw = sampleForAll()

async function run(cwd: string, ...args: string[]) {
  const result = await bellis([...args, '--quiet'], { cwd })
  assert.equal(result.code, 0, result.stderr)
  return result
}

const runExample = (cwd: string, name: string, ...args: string[]) =>
  run(cwd, 'run', fileURLToPath(new URL(`../../examples/${name}.ts`, import.meta.url)), ...args)

async function voxelsOf(path: string): Promise<Uint8Array> {
  await using array = await openArray(path)
  return (await array.read(array.roi)).data as Uint8Array
}

describe('the chain of two Gaussians, in 512 blocks with a context of one block', () => {
  it('a chain of two Gaussians starts the second before a third of the first is done, and equals SciPy applied twice', async () => {
    using folder = temporaryFolder()
    await run(folder.path, 'sample', 'long.hdf', '--size', '256,64,64', '--seed', '7')
    // 32 × 4 × 4 blocks: the first block of the second task needs 8 of the first 22 blocks of the first task. A third is 171: while one
    // worker does these blocks, the other may get ahead by the blocks that it does in a fifth of a second.
    const blocks = ['--sigma', '2', '--block-write', '8,16,16', '--workers', '2', '--events', 'events.jsonl']
    await runExample(folder.path, 'chain', '--input', 'long.hdf/volumes/raw', '--output', 'out.zarr', ...blocks)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/once')), LONG_ONCE)
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/twice')), LONG_TWICE)
    const events = readFileSync(join(folder.path, 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent)
    let done = 0
    for (const event of events) {
      if (event.type === 'blocks-leased' && event.taskId === 'Gaussian2') break
      if (event.type === 'blocks-done') done += event.indices.length
    }
    assert.ok(done >= 8 && done < 512 / 3, `${done} of 512 blocks of Gaussian1 were done`)
  })
})

describe('an example', () => {
  it('the diamond-shaped example subtracts the wide Gaussian from the narrow one at every voxel', async () => {
    using folder = temporaryFolder()
    await runExample(folder.path, 'diamond', '--input', raw, '--output', 'out.zarr', '--sigma', '2', '--workers', '2')
    const [narrow, wide, difference] = await Promise.all(
      ['narrow', 'wide', 'difference'].map((name) => voxelsOf(join(folder.path, 'out.zarr', name))),
    )
    assert.equal(await hashVoxels(join(folder.path, 'out.zarr/narrow')), SMOOTHED)
    const expected = narrow!.map((value, i) => Math.max(0, Math.min(255, 128 + value - wide![i]!)))
    assert.ok(Buffer.compare(difference!, expected) === 0)
    assert.ok(difference!.some((value) => value > 140) && difference!.some((value) => value < 116))
  })

  it('the example of built-in tasks gives each dark component of the smoothed volume one number', async () => {
    using folder = temporaryFolder()
    await runExample(
      folder.path,
      'components',
      '--input',
      raw,
      '--output',
      'out.zarr',
      '--below',
      '90',
      '--workers',
      '2',
    )
    const [soft, found] = await Promise.all(
      ['soft', 'components'].map((name) => voxelsOf(join(folder.path, 'out.zarr', name))),
    )
    const mask = soft!.map((value) => Number(value < 90))
    const { labels, count } = labelComponents({ data: mask, shape: [32, 192, 192] })
    const pairs = new Set(Array.from(found!, (number, i) => `${number} ${labels[i]}`))
    assert.ok(count > 3)
    assert.deepEqual([new Set(found!).size, pairs.size], [count + 1, count + 1])
    assert.ok(pairs.has('0 0'))
  })

  it('the example with an expensive setup runs it once per worker, not once per block', async () => {
    using folder = temporaryFolder()
    const { stdout } = await runExample(
      folder.path,
      'equalize',
      '--input',
      raw,
      '--output',
      'out.zarr/e',
      '--workers',
      '1',
      '--json',
    )
    assert.equal(JSON.parse(stdout).tasks[0].completed, 9)
    const [run] = readdirSync(join(folder.path, '.bellis'))
    const log = readFileSync(join(folder.path, '.bellis', run!, 'logs/w1.log'), 'utf8')
    assert.equal(log.match(/has its table/g)?.length, 1)
    const [before, after] = [await voxelsOf(raw), await voxelsOf(join(folder.path, 'out.zarr/e'))]
    // The new value of a voxel is the share of voxels that are not brighter.
    const darker = (limit: number) => before.reduce((count, value) => count + Number(value <= limit), 0)
    const at = before.findIndex((value) => value > 100)
    assert.equal(after[at], Math.round((255 * darker(before[at]!)) / before.length))
    assert.equal(Math.max(...new Set(after)), 255)
  })

  it('the GPU example reports which worker has which GPU, and does every block', async () => {
    using folder = temporaryFolder()
    const call = ['--input', raw, '--output', 'out.zarr/inside', '--resources', 'cpu=4,gpu=2', '--json']
    const { stdout } = await runExample(folder.path, 'segment', ...call)
    assert.equal(JSON.parse(stdout).tasks[0].completed, 9)
    const [run] = readdirSync(join(folder.path, '.bellis'))
    const logs = join(folder.path, '.bellis', run!, 'logs')
    const said = readdirSync(logs).flatMap((name) => readFileSync(join(logs, name), 'utf8').match(/on GPU .*/g) ?? [])
    // A fast worker may have done all blocks before the second one was ready.
    assert.ok(said.includes('on GPU 0') && new Set(said).size === said.length, said.join())
    const [before, after] = [await voxelsOf(raw), await voxelsOf(join(folder.path, 'out.zarr/inside'))]
    assert.ok(before.every((value, i) => after[i] === Number(value > 90)))
  })

  it('the example with an isDone check does exactly the blocks that the check calls missing', async () => {
    using folder = temporaryFolder()
    const call = ['--folder', 'means', '--side', '64', '--workers', '1', '--json']
    const skipped = async () =>
      JSON.parse((await runExample(folder.path, 'block-means', '--input', raw, ...call)).stdout).tasks[0]
        .skipped as number
    assert.equal(await skipped(), 0)
    rmSync(join(folder.path, 'means/4.json'))
    assert.equal(await skipped(), 8)
    const { offset, shape, mean } = JSON.parse(readFileSync(join(folder.path, 'means/4.json'), 'utf8'))
    await using array = await openArray(raw)
    const { data } = await array.read({ offset, shape })
    assert.equal(mean, (data as Uint8Array).reduce((sum, value) => sum + value, 0) / data.length)
  })
})
