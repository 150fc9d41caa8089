import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type CreateVolumeOptions, createArray, type DType, openArray, runBlockwise } from '../../src/entry/index.ts'
import { downsample, pyramid } from '../../src/entry/tasks.ts'
import { bellis, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { seededVoxels } from '../support/seeded-voxels.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())
const count = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1)

/** An array of noise, with small values so that some are frequent, and floats whose sums are exact. */
async function noise(path: string, dtype: DType, options: Omit<CreateVolumeOptions, 'dtype'> & { shape: number[] }) {
  await using array = await createArray(path, { dtype, ...options })
  const data = seededVoxels(dtype === 'bool' ? 'uint8' : dtype, count(options.shape), 3)
  const top = dtype === 'uint64' ? 2n ** 63n : dtype === 'int64' ? -(2n ** 62n) : 0
  for (let i = 0; i < data.length; i++) {
    const value = Math.floor(Number(data[i])) & (dtype === 'bool' ? 1 : 3)
    data[i] = (typeof top === 'bigint' ? top + BigInt(value) : dtype.startsWith('float') ? value / 8 : value) as never
  }
  await array.write(array.roi, data)
  return path
}

describe('bellis downsample', () => {
  it('downsample equals tensorstore for every type, method and shape, and writes OME-Zarr metadata', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const checks: object[] = []
    const em = { shape: [9, 33, 30], chunkShape: [4, 8, 8], voxelSize: [50, 4.6, 4.6].map((nm) => nm * 1000) }
    const placed = { ...em, offset: [100_000, 2300, -4600], unit: 'pm' as const }
    for (const dtype of ['bool', 'int8', 'uint16', 'int32', 'uint64', 'int64', 'float32', 'float64'] as const) {
      for (const method of ['mean', 'mode', 'stride'] as const) {
        const zarrFormat = method === 'mode' ? 2 : 3
        const container = join(folder.path, `${dtype}-${method}.zarr`)
        await noise(`${container}/em/s0`, dtype, { ...placed, zarrFormat })
        const tasks = await pyramid({ dataset: `${container}/em`, method, levels: 2 })
        const { ok } = await runBlockwise(tasks, { pool: 'inline', progress: 'none' })
        assert.ok(ok, container)
        const shapes = [
          [9, 33, 30],
          [9, 17, 15],
          [9, 9, 8],
        ]
        checks.push({ container, group: 'em', method, shapes })
      }
    }
    const channels = join(folder.path, 'channels.zarr')
    await noise(`${channels}/em/0`, 'uint8', { ...em, shape: [3, 9, 33, 30], chunkShape: [1, 4, 8, 8], unit: 'pm' })
    const tasks = await pyramid({ dataset: `${channels}/em/0`, factor: [3, 2, 5] })
    await runBlockwise(tasks, { pool: 'inline', progress: 'none' })
    checks.push({
      container: channels,
      group: 'em',
      method: 'mean',
      shapes: [
        [3, 9, 33, 30],
        [3, 3, 17, 6],
        [3, 1, 9, 2],
        [3, 1, 5, 1],
      ],
    })
    await runPython(python, new URL('check_pyramids.py', import.meta.url), [], JSON.stringify(checks))
  })

  const container = join(shared.path, 'em.zarr')
  before(async () => {
    await noise(`${container}/volumes/raw`, 'uint8', {
      shape: [40, 160, 160],
      chunkShape: [16, 16, 16],
      voxelSize: [40, 4, 4],
    })
    await noise(`${container}/volumes/labels/ids`, 'uint64', {
      shape: [8, 40, 40],
      chunkShape: [8, 8, 8],
      voxelSize: [40, 4, 4],
    })
  })
  const groupOf = (path: string) => JSON.parse(readFileSync(join(container, path, 'zarr.json'), 'utf8')).attributes.ome

  it('downsample writes the levels beside the array, halves the finer axes first, and ends with a single chunk', async () => {
    const { code, stdout, stderr } = await bellis(
      ['downsample', `${container}/volumes/raw`, '--workers', '2', '--json'],
      { cwd: shared.path },
    )
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      JSON.parse(stdout).tasks.map((task: { id: string }) => task.id),
      ['downsample-1', 'downsample-2', 'downsample-3', 'downsample-4', 'downsample-5'],
    )
    const shapes = await Promise.all(
      ['raw_s1', 'raw_s2', 'raw_s3', 'raw_s4', 'raw_s5'].map(async (name) => {
        await using level = await openArray(`${container}/volumes/${name}`)
        assert.deepEqual([level.offset, level.chunkShape.length], [[0, 0, 0], 3])
        return level.shape
      }),
    )
    assert.deepEqual(shapes, [
      [40, 80, 80],
      [40, 40, 40],
      [40, 20, 20],
      [20, 10, 10],
      [10, 5, 5],
    ])
    const { multiscales } = groupOf('volumes')
    assert.deepEqual(
      multiscales.map(({ datasets }: { datasets: { path: string }[] }) => datasets.map(({ path }) => path)),
      [['raw', 'raw_s1', 'raw_s2', 'raw_s3', 'raw_s4', 'raw_s5']],
    )
    // The group has one pyramid, so opening the group opens its finest level.
    await using group = await openArray(`${container}/volumes`)
    assert.equal(group.path, `${container}/volumes/raw`)
  })

  it('downsample uses the mode for labels and the mean for everything else, unless a method is given', async () => {
    const { code, stderr } = await bellis(
      ['downsample', `${container}/volumes/labels/ids`, '--levels', '1', '--pool', 'inline'],
      { cwd: shared.path },
    )
    assert.equal(code, 0, stderr)
    for (const method of ['mode', 'mean'] as const) {
      const output = `${container}/check/${method}`
      const level = downsample({ input: `${container}/volumes/labels/ids`, output, factor: [1, 2, 2], method })
      await runBlockwise(level, { pool: 'inline', progress: 'none' })
    }
    const [is, mode, mean] = await Promise.all(
      ['volumes/labels/ids_s1', 'check/mode', 'check/mean'].map((path) => hashVoxels(`${container}/${path}`)),
    )
    assert.equal(is, mode)
    assert.notEqual(is, mean)
    const methodOf = async (name: string, dtype: DType) => {
      await noise(`${container}/kinds/${name}`, dtype, { shape: [4, 4], chunkShape: [2, 2] })
      const [node] = await pyramid({ dataset: `${container}/kinds/${name}` })
      return node?.config.method
    }
    assert.deepEqual(
      [
        await methodOf('a', 'uint16'),
        await methodOf('b', 'float32'),
        await methodOf('c', 'bool'),
        await methodOf('d', 'int32'),
        await methodOf('labels/e', 'uint8'),
      ],
      ['mean', 'mean', 'mode', 'mode', 'mode'],
    )
  })

  it('downsample starts a coarser level while the finer one is still running', async () => {
    const ends: string[] = []
    using folder = temporaryFolder()
    const shape = [1024, 128, 128]
    const path = await noise(join(folder.path, 'a.zarr/em/s0'), 'uint8', { shape, chunkShape: [32, 64, 64] })
    const { ok } = await runBlockwise(await pyramid({ dataset: path, levels: 2, factor: [2, 2, 2] }), {
      pool: 'inline',
      workers: 1,
      progress: 'none',
      onEvent: (event) => {
        if (event.type === 'blocks-done') ends.push(event.taskId)
      },
    })
    assert.ok(ok)
    const [first, last] = [ends.indexOf('downsample-2'), ends.lastIndexOf('downsample-1')]
    assert.ok(first > 0 && first < last, ends.join(' '))
  })

  it('downsample refuses a dataset that it cannot build levels beside, with the remedy', async () => {
    using folder = temporaryFolder()
    const refused = async (args: readonly string[], message: RegExp) => {
      const { code, stderr } = await bellis(['downsample', ...args], { cwd: folder.path })
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr)
      assert.match(stderr, message)
    }
    const made = await bellis(['sample', 's.hdf', '--size', '8,32,32', '--quiet'], { cwd: folder.path })
    assert.equal(made.code, 0)
    await refused(
      ['s.hdf/volumes/raw'],
      /is no Zarr array, and pyramids are written in Zarr only; convert it first: bellis convert s\.hdf\/volumes\/raw out\.zarr\/raw\/s0/,
    )
    await noise(join(folder.path, 'root.zarr'), 'uint8', { shape: [4, 4], chunkShape: [4, 4] })
    await refused(['root.zarr'], /is an array outside of any group, so its levels have no place; convert it first/)
    await noise(join(folder.path, 'a.zarr/raw'), 'uint8', { shape: [4, 4], chunkShape: [4, 4] })
    await refused(['a.zarr/raw', '--factor', '2'], /"factor" is 2, but .* has 2 axes of 4,4 voxels; expected 2 numbers/)
    await refused(['a.zarr/raw', '--factor', '1,1'], /has no coarser level with the factor 1,1/)
    await refused(['a.zarr/raw', '--levels', '0'], /--levels 0: expected a whole number of at least 1/)
    await refused(['a.zarr/no'], /There is no "no" in a\.zarr/)
    assert.deepEqual(readdirSync(join(folder.path, 'a.zarr')).sort(), ['raw', 'zarr.json'])
  })

  it('says at the end of a run which coarser levels are stale, with the command that makes them again', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await noise(join(cwd, 'in.zarr/raw'), 'uint8', { shape: [32, 64, 64], chunkShape: [32, 32, 32] })
    const call = async (...args: string[]) => {
      const result = await bellis([...args, '--pool', 'inline'], { cwd })
      assert.equal(result.code, 0, result.stderr)
      return result.stderr
    }
    const copy = ['convert', 'in.zarr/raw', 'out.zarr/raw', '--chunk', '16,16,16']
    assert.doesNotMatch(await call(...copy), /warning/)
    const levels = ['downsample', 'out.zarr/raw', '--levels', '2', '--factor', '1,2,2', '--method', 'stride']
    assert.doesNotMatch(await call(...levels), /warning/)
    assert.doesNotMatch(await call(...copy), /warning/, 'it has written nothing')
    const stale = await call(...copy, '--overwrite', '--yes')
    const again = 'bellis downsample out.zarr/raw --levels 2 --factor 1,2,2 --method stride --overwrite'
    assert.ok(
      stale.endsWith(
        `warning: raw_s1 and raw_s2, coarser levels of out.zarr/raw, still show what was there before this run; to make them again: ${again}\n`,
      ),
      stale,
    )
    assert.doesNotMatch(await call(...again.split(' ').slice(1), '--yes'), /warning/)
    const one = await call('downsample', 'out.zarr/raw', '--levels', '1', '--overwrite', '--yes')
    assert.match(
      one,
      /warning: raw_s2, a coarser level of out\.zarr\/raw_s1, still shows .*: bellis downsample out\.zarr\/raw --levels 2 /,
    )
  })

  it('warns of no levels that are described and not there, nor fails if one can’t be opened', async () => {
    using folder = temporaryFolder()
    const cwd = folder.path
    await noise(join(cwd, 'in.zarr/raw'), 'uint8', { shape: [32, 64, 64], chunkShape: [32, 32, 32] })
    const call = async (...args: string[]) => {
      const result = await bellis([...args, '--pool', 'inline'], { cwd })
      assert.equal(result.code, 0, result.stderr)
      return result.stderr
    }
    await call('downsample', 'in.zarr/raw', '--levels', '2', '--factor', '1,2,2')
    rmSync(join(cwd, 'in.zarr/raw_s2'), { recursive: true })
    const copy = ['convert', 'in.zarr', 'out.zarr']
    assert.doesNotMatch(await call(...copy), /warning/, 'a copy of a group describes what the group does')
    const array = [...copy, '--overwrite', '--yes'].map((arg) => (arg.endsWith('.zarr') ? `${arg}/raw` : arg))
    assert.match(await call(...array), /warning: raw_s1, a coarser level of out\.zarr\/raw, still shows/)
    const metadata = join(cwd, 'out.zarr/raw_s1/zarr.json')
    const json = JSON.parse(readFileSync(metadata, 'utf8'))
    writeFileSync(metadata, JSON.stringify({ ...json, codecs: [{ name: 'bytes' }, { name: 'unknown' }] }))
    await call(...array)
    rmSync(join(cwd, 'out.zarr/raw_s1'), { recursive: true })
    assert.doesNotMatch(await call(...array), /warning/)
  })
})
