import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createArray, type DType, openArray, runBlockwise } from '../../src/entry/index.ts'
import { convert, countLabels, label } from '../../src/entry/tasks.ts'
import { bellis, dyingAt, hashVoxels, temporaryFolder } from '../support/command-line.ts'
import { pythonOrSkip, runPython } from '../support/python.ts'
import { hash32 } from '../support/seeded-voxels.ts'

const shared = temporaryFolder()
after(() => shared[Symbol.dispose]())

interface Volume {
  readonly shape: readonly number[]
  readonly dtype?: DType
  /** The numbers of non-zero voxels among ten. */
  readonly density: number
  readonly voxelSize?: readonly number[]
  readonly offset?: readonly number[]
}

/** Random voxels. At some densities, nearly all of them form one component that winds through all blocks. */
async function random(path: string, { shape, dtype = 'uint8', density, ...placed }: Volume): Promise<string> {
  const chunkShape = shape.map((length) => Math.min(length, 5))
  const options = { shape, dtype, chunkShape, unit: 'pm' as const, ...placed }
  await using array = await createArray(path, options)
  const { data } = await array.read(array.roi)
  const value = dtype === 'uint64' ? 2n ** 32n : dtype === 'float32' ? Number.NaN : 7
  for (let i = 0; i < data.length; i++) if (hash32(i, 11) % 100 < 10 * density) data[i] = value as never
  await array.write(array.roi, data)
  return path
}

describe('label', () => {
  it('label finds the components that SciPy finds in the complete volume, for any blocks and connectivity', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    using folder = temporaryFolder()
    const cases: { input: string; output: string; connectivity: number; channels: number }[] = []
    const counts: number[] = []
    const em = { voxelSize: [50_000, 4600, 4600], offset: [100_000, -2300, 4600] }
    const volumes: readonly (Volume & { blocks: readonly (readonly number[])[] })[] = [
      {
        shape: [13, 17, 19],
        density: 3.2,
        ...em,
        blocks: [
          [5, 5, 5],
          [13, 4, 7],
          [20, 20, 20],
        ],
      },
      { shape: [13, 17, 19], density: 1.2, dtype: 'uint64', ...em, blocks: [[3, 6, 2]] },
      { shape: [13, 17, 19], density: 6, dtype: 'float32', ...em, blocks: [[4, 3, 5]] },
      { shape: [4, 5, 6], density: 4, blocks: [[1, 1, 1]] },
      { shape: [9, 9, 9], density: 0, blocks: [[4, 4, 4]] },
      { shape: [9, 9, 9], density: 10, blocks: [[4, 4, 4]] },
      { shape: [40, 37], density: 5.5, dtype: 'bool', blocks: [[7, 5]] },
      { shape: [90], density: 5, dtype: 'int16', blocks: [[7]] },
      { shape: [5, 6, 7, 4], density: 3, blocks: [[2, 3, 3, 2]] },
      { shape: [2, 11, 12, 9], voxelSize: [40, 4, 4], density: 3, blocks: [[5, 4, 4]] },
    ]
    for (const [number, { blocks, ...volume }] of volumes.entries()) {
      const input = await random(join(folder.path, `${number}.zarr/raw`), volume)
      const rank = (blocks[0] as readonly number[]).length
      for (const block of blocks) {
        for (let connectivity = 1; connectivity <= rank; connectivity++) {
          const output = join(folder.path, `${number}-${block.join('x')}-${connectivity}.zarr/labels`)
          const { ok } = await runBlockwise(label({ input, output, connectivity, block: [...block] }), {
            pool: 'inline',
            progress: 'none',
          })
          assert.ok(ok)
          cases.push({ input, output, connectivity, channels: volume.shape.length - rank })
          counts.push(Number(await countLabels(output)))
        }
      }
    }
    const answer = await runPython(python, new URL('check_labels.py', import.meta.url), [], JSON.stringify(cases))
    assert.deepEqual(counts, JSON.parse(answer))
  })

  it('label gives the same numbers with any number of workers, chained to the task that makes its input', async () => {
    const input = await random(join(shared.path, 'in.zarr/raw'), { shape: [24, 24, 24], density: 3.2 })
    const hashes = new Set<string>()
    for (const [workers, pool] of [
      [1, 'inline'],
      [4, 'inline'],
      [2, 'process'],
    ] as const) {
      const copied = join(shared.path, `${workers}-${pool}.zarr/copy`)
      const copy = convert({ input, output: copied, chunk: [8, 8, 8] })
      const output = join(shared.path, `${workers}-${pool}.zarr/labels`)
      const nodes = label({ input: copied, output, block: [8, 8, 8] }, { after: [copy] })
      const { ok, tasks } = await runBlockwise(nodes, { workers, pool, progress: 'none' })
      assert.ok(ok, JSON.stringify(tasks))
      hashes.add(await hashVoxels(output))
    }
    assert.equal(hashes.size, 1)
  })

  it('label gives the same result after its command was killed in each of its tasks', async () => {
    const input = await random(join(shared.path, 'killed.zarr/raw'), { shape: [40, 40, 40], density: 3.1 })
    const call = (output: string) => ['label', input, output, '--connectivity', '2', '--block', '7,6,8', '--quiet']
    using folder = temporaryFolder()
    const [blocks, pairs, write] = [0, 1, 3]
    for (const place of [blocks, pairs, write]) {
      const dying = { cwd: folder.path, env: dyingAt(place) }
      const { code, stderr } = await bellis([...call('out.zarr/labels'), '--workers', '3'], dying)
      assert.equal(code, 'SIGKILL', stderr)
    }
    const resumed = await bellis([...call('out.zarr/labels'), '--json'], { cwd: folder.path })
    const { ok, tasks } = JSON.parse(resumed.stdout)
    assert.ok(ok, resumed.stderr)
    for (const { id, skipped, total } of tasks) assert.ok(id === 'label' ? skipped < total : skipped > 0, id)
    const inOne = await bellis([...call('one.zarr/labels'), '--pool', 'inline'], { cwd: folder.path })
    assert.equal(inOne.code, 0, inOne.stderr)
    assert.equal(
      await hashVoxels(join(folder.path, 'out.zarr/labels')),
      await hashVoxels(join(folder.path, 'one.zarr/labels')),
    )
  })

  it('label keeps voxel size, offset and axes, and the command prints the number of components', async () => {
    const input = await random(join(shared.path, 'placed.zarr/raw'), {
      shape: [8, 8, 8],
      density: 4,
      voxelSize: [50_000, 4600, 4600],
      offset: [0, 2300, 0],
    })
    const { code, stdout, stderr } = await bellis(
      ['label', input, 'out.zarr/labels', '--connectivity', '3', '--block', '4,4,4', '--pool', 'inline', '--json'],
      { cwd: shared.path },
    )
    assert.equal(code, 0, stderr)
    const { ok, tasks, components } = JSON.parse(stdout)
    assert.deepEqual(
      [ok, tasks.map((task: { id: string }) => task.id)],
      [true, ['label-blocks', 'label-pairs', 'label-merge', 'label']],
    )
    assert.equal(BigInt(components), await countLabels(join(shared.path, 'out.zarr/labels')))
    await using labels = await openArray(join(shared.path, 'out.zarr/labels'))
    assert.deepEqual(
      [labels.voxelSize, labels.offset, labels.unit, labels.fillValue],
      [[50_000, 4600, 4600], [0, 2300, 0], 'pm', 0n],
    )
    const text = await bellis(['label', input, 'text.zarr', '--pool', 'inline'], { cwd: shared.path })
    assert.match(text.stdout, /\n\d+ components\n$/)
  })

  it('label writes containers that are one volume, with its intermediate results beside them', async () => {
    using folder = temporaryFolder()
    const { path: cwd } = folder
    const input = await random(join(cwd, 'in.zarr/raw'), { shape: [8, 8, 8], density: 4 })
    for (const output of ['a.zarr', 'b.n5', 'c.precomputed', 'd.zarr/labels', 'e.n5/labels']) {
      const { code, stderr } = await bellis(['label', input, output, '--pool', 'inline'], { cwd })
      assert.equal(code, 0, stderr)
      assert.equal(await countLabels(join(cwd, output)), await countLabels(join(cwd, 'a.zarr')))
    }
    assert.deepEqual(
      readdirSync(cwd).filter((name) => name.includes('_parts')),
      ['a_parts.zarr', 'b_parts.zarr', 'c_parts.zarr'],
    )
  })

  it('label refuses invalid arguments before it writes', async () => {
    using folder = temporaryFolder()
    const input = await random(join(shared.path, 'flat.zarr/raw'), { shape: [8, 8], density: 4 })
    for (const [flags, message] of [
      [['--connectivity', '3'], /"connectivity" is 3, but .* has 2 axes; expected 1 \(faces\) to 2 \(corners\)/],
      [['--connectivity', '0'], /--connectivity 0: expected a whole number of at least 1/],
      [['--block', '4'], /"block" is 4, but .* has 2 axes/],
    ] as const) {
      const { code, stderr } = await bellis(['label', input, 'a.zarr/b', ...flags], { cwd: folder.path })
      assert.deepEqual([code, stderr.trim().split('\n').length], [2, 1], stderr)
      assert.match(stderr, message)
    }
  })
})
