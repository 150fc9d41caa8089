import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { precomputedFormat } from '../../../src/adapters/precomputed/precomputed-format.ts'
import { PRECOMPUTED_DTYPES } from '../../../src/adapters/precomputed/volume-info.ts'
import { bytesOf, type DType } from '../../../src/core/array/dtype.ts'
import { placeAxes } from '../../../src/core/geometry/placement.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, Model, noise, temporaryFolder } from '../../support/zarr.ts'

const format = precomputedFormat()
const script = (name: string) => new URL(name, import.meta.url)

interface Entry {
  readonly container: string
  readonly dtype: DType
  /** (c,) z, y, x */
  readonly shape: readonly number[]
  readonly data: string
  readonly voxelSize: readonly number[]
  readonly offset: readonly number[]
  readonly canBeWritten: boolean
}

describe('precomputed volumes of tensorstore', () => {
  it('are read exactly: element types, encodings, channels, offsets, odd shapes, shards; those in files of their own can be changed', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, script('write_arrays.py'), [folder])
    const entries: readonly Entry[] = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
    assert.ok(entries.length > 35, `only ${entries.length} volumes were written`)
    const changed: Entry[] = []
    for (const entry of entries) {
      const { container, dtype, shape, data, voxelSize, offset, canBeWritten } = entry
      const array = await format.open(join(folder, container), '')
      assert.deepEqual([array.dtype, array.shape], [dtype, shape], container)
      const placed = placeAxes(array.axes)
      assert.deepEqual([placed.voxelSize, placed.offset], [voxelSize, offset], container)
      const into = noise(dtype, countOf(shape), 1)
      await array.readVoxels({ offset: shape.map(() => 0), shape }, into)
      const expected = await readFile(join(folder, data))
      assert.ok(Buffer.compare(bytesOf(into), expected) === 0, `${container} has other voxels`)
      const model = new Model(shape, dtype, dtype.endsWith('int64') ? 0n : 0)
      bytesOf(model.data).set(expected)
      const box = {
        offset: shape.map((length) => Math.min(1, length - 1)),
        shape: shape.map((length) => Math.max(1, length - 2)),
      }
      const part = noise(dtype, countOf(box.shape), 7)
      await array.readVoxels(box, part)
      assert.deepEqual(bytesOf(part), bytesOf(model.read(box)), `a part of ${container} has other voxels`)
      if (!canBeWritten) {
        await assert.rejects(format.open(join(folder, container), '', { mode: 'r+' }), { code: 'UNSUPPORTED_CODEC' })
        continue
      }
      await using written = await format.open(join(folder, container), '', { mode: 'r+' })
      const voxels = noise(dtype, countOf(box.shape), 9)
      await written.writeVoxels(box, voxels)
      model.write(box, voxels)
      await writeFile(join(folder, data), bytesOf(model.data))
      changed.push(entry)
    }
    await writeFile(join(folder, 'index.json'), JSON.stringify(changed))
    assert.equal((await runPython(python, script('read_arrays.py'), [folder])).trim(), String(changed.length))
  })
})

/** Voxels of a shard, along z, y and x; undefined: chunks are files of their own. */
const SHARDS = [undefined, [4, 4, 16], [8, 8, 16], [8, 16, 16]] as const
const ENCODED = [
  ...PRECOMPUTED_DTYPES.map((dtype) => [dtype, 'raw'] as const),
  ...(['uint32', 'uint64'] as const).map((dtype) => [dtype, 'compressed_segmentation'] as const),
]
const KINDS = ENCODED.flatMap(([dtype, codec]) => SHARDS.map((shard) => [dtype, codec, shard] as const))

describe('precomputed volumes of Bellis', () => {
  it('are read exactly by tensorstore, with their voxel size and offset', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    const entries: Entry[] = []
    for (const [dtype, codec, shard] of KINDS) {
      for (const channels of [1, 3]) {
        const shape = [...(channels > 1 ? [channels] : []), 7, 10, 13]
        const [voxelSize, offset] = [
          [40, 5, 4.5],
          [80, -10, 9],
        ]
        const space = ['z', 'y', 'x'].map((name, axis) => ({
          ...{ name, type: 'space' as const, unit: 'nanometer', scale: voxelSize[axis] as number },
          ...{ translation: offset[axis] as number, translationOf: 'edge' as const },
        }))
        const axes = [...(channels > 1 ? [{ name: 'c', type: 'channel' as const }] : []), ...space]
        const chunkShape = [...(channels > 1 ? [1] : []), 4, 4, 8]
        const container = `${dtype}-${codec}-${channels}-${shard?.join('x') ?? 'files'}.precomputed`
        const sharded = shard === undefined ? {} : { shardShape: [...(channels > 1 ? [channels] : []), ...shard] }
        const wanted = { shape, dtype, codec, chunkShape, axes, ...sharded }
        await using array = await format.create(join(folder, container), '', wanted)
        const model = new Model(shape, dtype, dtype.endsWith('int64') ? 0n : 0)
        const box = { offset: shape.map(() => 1), shape: shape.map((length) => length - 1) }
        const voxels = noise(dtype, countOf(box.shape), entries.length)
        await array.writeVoxels(box, voxels)
        model.write(box, voxels)
        await writeFile(join(folder, `${container}.bin`), bytesOf(model.data))
        entries.push({ container, dtype, shape, data: `${container}.bin`, voxelSize, offset, canBeWritten: true })
      }
    }
    await writeFile(join(folder, 'index.json'), JSON.stringify(entries))
    assert.equal((await runPython(python, script('read_arrays.py'), [folder])).trim(), String(entries.length))
  })
})
