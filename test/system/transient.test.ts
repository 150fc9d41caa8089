import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openArray } from '../../src/entry/arrays.ts'
import { runBlockwise } from '../../src/entry/run.ts'
import { smooth } from '../../src/tasks/smooth.ts'
import { bellis, dyingAt, hashVoxels, temporaryFolder } from '../support/command-line.ts'

// SHA-256 of the result of SciPy's gaussian_filter(sigma=2, mode='constant'), applied twice to the sample of seed 7, 32 × 192 × 192 voxels.
const TWICE = 'ffd3bcb23791a0240de63acc589d89631c48de8d1af0982cb515a41a13893525'
const BLOCKS = 256
/** A block of the second task needs 27 blocks of the first, so about two layers of 64 blocks always lie between them. */
const AHEAD = 150

const MODULE = `
import { definePipeline, z } from 'bellis'
import { smooth } from 'bellis/tasks'
export default definePipeline({
  name: 'chain',
  config: z.object({}),
  tasks() {
    const how = { sigma: 2, blockWrite: [8, 24, 24] }
    const once = smooth(
      { input: 'sample.hdf/volumes/raw', output: 'out.zarr/once', ...how },
      { id: 'Gaussian1', transient: true, maxAhead: { blocks: ${AHEAD} } },
    )
    return smooth({ input: 'out.zarr/once', output: 'out.zarr/twice', ...how }, { id: 'Gaussian2', after: [once] })
  },
})`

const folder = temporaryFolder()
const cwd = folder.path
after(() => folder[Symbol.dispose]())
before(async () => {
  writeFileSync(join(cwd, 'chain.ts'), MODULE)
  const sample = ['sample', 'sample.hdf', '--size', '32,192,192', '--seed', '7', '--quiet']
  const { code, stderr } = await bellis(sample, { cwd })
  assert.equal(code, 0, stderr)
})

const RUN = ['run', 'chain.ts', '--workers', '2', '--json', '--quiet']
/** Runs the chain to its end. @returns how many blocks of each task were done before this start */
async function finish(): Promise<number[]> {
  const { code, stdout, stderr } = await bellis(RUN, { cwd })
  assert.equal(code, 0, stderr)
  const { tasks } = JSON.parse(stdout) as { tasks: { completed: number; skipped: number }[] }
  for (const { completed } of tasks) assert.equal(completed, BLOCKS)
  return tasks.map(({ skipped }) => skipped)
}

const storedChunks = async () => {
  await using array = await openArray(join(cwd, 'out.zarr/once'))
  return (await array.countStoredChunks?.())?.stored ?? -1
}

describe('a chain over a transient array', () => {
  it('a chain over a transient array is exact however often it is killed, and never has all of it on the disk', async () => {
    let most = 0
    for (let kills = 0; kills < 3; kills++) {
      const { code } = await bellis(RUN, { cwd, env: dyingAt(1) })
      assert.equal(code, 'SIGKILL')
      most = Math.max(most, await storedChunks())
    }
    assert.ok(most > 0 && most < BLOCKS, `${most} chunks were stored`)
    const [first, second] = (await finish()) as [number, number]
    assert.ok(first > second && second >= 3 && first < BLOCKS, `${first} and ${second} were done before`)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), TWICE)
    assert.equal(await storedChunks(), 0)
  })

  it('a transient array is done when all tasks that read it are: the same command does nothing', async () => {
    assert.deepEqual(await finish(), [BLOCKS, BLOCKS])
    assert.equal(await storedChunks(), 0)
  })

  it('a transient array is recomputed exactly where blocks that read it must be done again', async () => {
    const [run] = readdirSync(join(cwd, '.bellis')) as [string]
    const { stdout, stderr } = await bellis(['reset', run, '--roi', '320,96,96:320,96,96', '--yes', '--json'], { cwd })
    const [first, second] = JSON.parse(stdout || '[]') as { blocks: number }[]
    assert.ok(second!.blocks > 0 && second!.blocks < BLOCKS && first!.blocks > second!.blocks, stderr)
    assert.ok(first!.blocks < BLOCKS)
    rmSync(join(cwd, 'out.zarr/twice/c/1/1/1'), { recursive: true, force: true })
    assert.deepEqual(await finish(), [BLOCKS - first!.blocks, BLOCKS - second!.blocks])
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), TWICE)
    assert.equal(await storedChunks(), 0)
  })

  it('a transient array is recomputed completely if the output made from it was removed, but not if it was removed itself', async () => {
    rmSync(join(cwd, 'out.zarr/once'), { recursive: true })
    assert.deepEqual(await finish(), [BLOCKS, BLOCKS])
    rmSync(join(cwd, 'out.zarr/twice'), { recursive: true })
    assert.deepEqual(await finish(), [0, 0])
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), TWICE)
  })

  it('a transient array that another run has written is refused, unless it may be replaced', async () => {
    const once = 'out.zarr/once'
    rmSync(join(cwd, once), { recursive: true })
    const block = ['--block-write', '8,24,24', '--sigma', '2', '--quiet']
    assert.equal((await bellis(['smooth', 'sample.hdf/volumes/raw', once, ...block], { cwd })).code, 0)
    const written = await hashVoxels(join(cwd, once))
    const refused = await bellis(RUN, { cwd })
    assert.equal(refused.code, 2)
    const message = /"Gaussian1" is transient, .*once contains data that this run did not write.*--overwrite/
    assert.match(refused.stderr, message)
    // Without a record, a run can't distinguish its own chunks from those of others.
    const [raw, output] = [join(cwd, 'sample.hdf/volumes/raw'), join(cwd, once)]
    const how = { sigma: 2, blockWrite: [8, 24, 24] }
    const first = smooth({ input: raw, output, ...how }, { id: 'Gaussian1', transient: true })
    const second = smooth(
      { input: output, output: join(cwd, 'other.zarr/a'), ...how },
      { after: [first], id: 'Gaussian2' },
    )
    await assert.rejects(runBlockwise(second, { pool: 'inline', progress: 'none' }), {
      code: 'DATASET_EXISTS',
      message,
    })
    assert.equal(await hashVoxels(join(cwd, once)), written)
    const { code, stderr } = await bellis([...RUN, '--overwrite', '--yes'], { cwd })
    assert.equal(code, 0, stderr)
    assert.equal(await hashVoxels(join(cwd, 'out.zarr/twice')), TWICE)
    assert.equal(await storedChunks(), 0)
  })
})
