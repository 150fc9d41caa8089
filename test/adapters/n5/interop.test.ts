import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { n5Format } from '../../../src/adapters/n5/n5-format.ts'
import { N5_DTYPES } from '../../../src/adapters/n5/n5-metadata.ts'
import { bytesOf, type DType } from '../../../src/core/array/dtype.ts'
import { placeAxes } from '../../../src/core/geometry/placement.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, Model, noise, temporaryFolder } from '../../support/zarr.ts'

const format = n5Format()
const script = (name: string) => new URL(name, import.meta.url)

interface Entry {
  readonly inner: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: string
  readonly voxelSize: readonly number[]
}

describe('N5 of tensorstore', () => {
  it('is read exactly, with all element types, compressions, odd shapes and missing blocks, and can be changed', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, script('write_arrays.py'), [folder])
    const entries: readonly Entry[] = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
    assert.ok(entries.length > 30, `only ${entries.length} datasets were written`)
    const changed: Entry[] = []
    for (const { inner, dtype, shape, data, voxelSize } of entries) {
      const array = await format.open(join(folder, 'a.n5'), inner)
      assert.deepEqual([array.dtype, array.shape], [dtype, shape], inner)
      assert.deepEqual(placeAxes(array.axes).voxelSize, voxelSize, inner)
      const whole = { offset: shape.map(() => 0), shape }
      const into = noise(dtype, countOf(shape), 1)
      await array.readVoxels(whole, into)
      const expected = await readFile(join(folder, data))
      assert.ok(Buffer.compare(bytesOf(into), expected) === 0, `${inner} has other voxels`)
      const readOnly = ['bz2', 'lzma'].find((name) => array.codecs.includes(name))
      if (readOnly !== undefined) {
        const writing = format.open(join(folder, 'a.n5'), inner, { mode: 'r+' })
        await assert.rejects(writing, { code: 'UNSUPPORTED_CODEC', message: RegExp(`a\\.n5.*${readOnly}`) })
        continue
      }
      await using written = await format.open(join(folder, 'a.n5'), inner, { mode: 'r+' })
      const model = new Model(shape, dtype, dtype.endsWith('int64') ? 0n : 0)
      bytesOf(model.data).set(expected)
      const box = { offset: shape.map(() => 1), shape: shape.map((length) => length - 2) }
      const part = noise(dtype, countOf(box.shape), 7)
      await written.writeVoxels(box, part)
      model.write(box, part)
      await writeFile(join(folder, data), bytesOf(model.data))
      changed.push({ inner, dtype, shape, data, voxelSize })
    }
    await writeFile(join(folder, 'index.json'), JSON.stringify(changed))
    assert.equal((await runPython(python, script('read_arrays.py'), [folder])).trim(), String(changed.length))
  })
})

describe('N5 of Bellis', () => {
  it('is read exactly by tensorstore, with its voxel size', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    const entries: Entry[] = []
    const write = async (inner: string, dtype: DType, codec: string, shape = [7, 10, 13]) => {
      const voxelSize = [40, 5, 4].slice(-shape.length)
      const axes = shape.map((_, axis) => ({
        ...{ name: ['z', 'y', 'x'].slice(-shape.length)[axis] as string, type: 'space' as const, unit: 'nanometer' },
        ...{ scale: voxelSize[axis] as number, translation: 80, translationOf: 'edge' as const },
      }))
      const options = { shape, dtype, chunkShape: shape.map(() => 4), codec, axes }
      await using array = await format.create(join(folder, 'a.n5'), inner, options)
      const model = new Model(shape, dtype, dtype.endsWith('int64') ? 0n : 0)
      const box = { offset: shape.map(() => 1), shape: shape.map((length) => length - 1) }
      const voxels = noise(dtype, countOf(box.shape), entries.length)
      await array.writeVoxels(box, voxels)
      model.write(box, voxels)
      await writeFile(join(folder, `${entries.length}.bin`), bytesOf(model.data))
      entries.push({ inner, dtype, shape, data: `${entries.length}.bin`, voxelSize })
    }
    for (const dtype of N5_DTYPES) await write(`types/${dtype}`, dtype, 'zstd')
    for (const codec of ['raw', 'gzip:9', 'zlib', 'zstd:19', 'blosc', 'blosc-zstd', 'blosc-lz4hc', 'blosc-zlib']) {
      await write(`codecs/${codec.replace(':', '')}`, 'uint16', codec)
    }
    await write('flat', 'float32', 'gzip', [11, 9])
    await writeFile(join(folder, 'index.json'), JSON.stringify(entries))
    assert.equal((await runPython(python, script('read_arrays.py'), [folder])).trim(), String(entries.length))
  })
})
