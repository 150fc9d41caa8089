import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import {
  bytesOf,
  DTYPES,
  type DType,
  isBigDType,
  isFloatDType,
  type Scalar,
  typedArray,
} from '../../../src/core/array/dtype.ts'
import type { CreateArrayOptions } from '../../../src/ports/chunked-array.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, Model, noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()
const script = (name: string) => new URL(`interop/${name}`, import.meta.url)

/** An entry of index.json, as described in interop/write_arrays.py. */
interface Entry {
  readonly container: string
  readonly inner: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly fill: string
  readonly data: string
}

interface WrittenEntry extends Entry {
  readonly zarrFormat: 2 | 3
  readonly tensorstore: boolean
  readonly ours: boolean
}

const zeroOf = (dtype: DType): Scalar => (isBigDType(dtype) ? 0n : 0)
const fillText = (fill: Scalar): string => (Number.isNaN(fill) ? 'NaN' : String(fill))

describe('arrays of zarr-python and tensorstore', () => {
  // Written once. The second test changes what the first has read.
  let folder: string | undefined
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })
  async function writtenArrays(python: string) {
    folder = await mkdtemp(join(tmpdir(), 'bellis-zarr-'))
    await runPython(python, script('write_arrays.py'), [folder])
    return folder
  }

  it('are read exactly, with all dtypes, fill values, codecs, orders, byte orders, keys and shards', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await writtenArrays(python)
    const entries: readonly Entry[] = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
    assert.ok(entries.length > 350, `only ${entries.length} arrays were written`)
    for (const { container, inner, dtype, shape, fill, data } of entries) {
      const name = `${container}/${inner}`
      const array = await format.open(join(folder, container), inner)
      assert.deepEqual([array.dtype, array.shape], [dtype, shape], name)
      const expectedFill = isFloatDType(dtype) ? Number(fill) : dtype.endsWith('int64') ? BigInt(fill) : Number(fill)
      assert.ok(Object.is(array.fillValue, expectedFill), `${name}: fill value ${array.fillValue}, not ${fill}`)
      const into = noise(dtype, countOf(shape), 1)
      await array.readVoxels({ offset: shape.map(() => 0), shape }, into)
      const expected = await readFile(join(folder, data))
      assert.ok(Buffer.compare(bytesOf(into), expected) === 0, `${name} has other data`)
      // Also parts, which take another path through shards and chunks.
      if (shape.length !== 3) continue
      const box = { offset: [1, 3, 5], shape: [2, 4, 6] }
      const part = typedArray(dtype, 48)
      await array.readVoxels(box, part)
      const model = new Model(shape, dtype, zeroOf(dtype))
      bytesOf(model.data).set(expected)
      assert.deepEqual(bytesOf(part), bytesOf(model.read(box)), `a part of ${name} has other data`)
    }
  })

  it('can be changed, and keep their byte order, memory order and codecs', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    if (folder === undefined) assert.fail('the arrays are missing: the test before this one writes them')
    const entries: readonly Entry[] = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
    const changed: WrittenEntry[] = []
    for (const entry of entries) {
      if (entry.shape.length !== 3 || !/^(codecs|shards|ts)/.test(entry.container)) continue
      const array = await format.open(join(folder, entry.container), entry.inner, { mode: 'r+' })
      const model = new Model(entry.shape, entry.dtype, zeroOf(entry.dtype))
      bytesOf(model.data).set(await readFile(join(folder, entry.data)))
      const box = { offset: [1, 3, 5], shape: [5, 6, 7] }
      const data = noise(entry.dtype, 210, 7)
      await array.writeVoxels(box, data)
      model.write(box, data)
      await writeFile(join(folder, entry.data), bytesOf(model.data))
      changed.push({ ...entry, zarrFormat: array.format === 'zarr2' ? 2 : 3, tensorstore: false, ours: false })
    }
    await writeFile(join(folder, 'index.json'), JSON.stringify(changed))
    const output = await runPython(python, script('read_arrays.py'), [folder])
    assert.deepEqual(output.trim().split('\n'), [String(changed.length)])
  })
})

describe('arrays of Bellis', () => {
  it('are opened without a warning and read exactly by zarr-python and tensorstore', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    const entries: WrittenEntry[] = []
    const shape = [7, 10, 13]
    const write = async (name: string, options: Omit<CreateArrayOptions, 'shape'>, fill: Scalar = 0) => {
      const { dtype, zarrFormat = 3 } = options
      const container = `ours${zarrFormat}.zarr`
      const inner = `volumes/${name}`
      const array = await format.create(join(folder, container), inner, {
        shape,
        chunkShape: [4, 4, 8],
        fillValue: fill,
        attributes: { note: 'kept' },
        axes: ['z', 'y', 'x'].map((axis, i) => ({
          name: axis,
          type: 'space',
          unit: 'nanometer',
          scale: [50, 4.6, 4.6][i] as number,
          translation: 0,
          translationOf: 'edge',
        })),
        ...options,
      })
      const model = new Model(shape, dtype, fill)
      const box = { offset: [0, 1, 2], shape: [4, 9, 11] }
      const data = noise(dtype, 396, entries.length)
      await array.writeVoxels(box, data)
      model.write(box, data)
      const file = `${container}-${name}.bin`
      await writeFile(join(folder, file), bytesOf(model.data))
      // tensorstore supports neither lz4 of numcodecs nor float16 in version 2.
      const tensorstore = options.codec !== 'lz4'
      entries.push({
        container,
        inner,
        dtype,
        shape,
        fill: fillText(fill),
        data: file,
        zarrFormat,
        tensorstore,
        ours: true,
      })
    }
    for (const zarrFormat of [2, 3] as const) {
      for (const dtype of DTYPES) await write(`dtype-${dtype}`, { dtype, zarrFormat }, dtype.endsWith('int64') ? 0n : 0)
      await write('fill-nan', { dtype: 'float32', zarrFormat }, Number.NaN)
      await write('fill-infinity', { dtype: 'float64', zarrFormat }, -Infinity)
      await write('fill-half', { dtype: 'float16', zarrFormat }, 1.5)
      await write('fill-most', { dtype: 'uint64', zarrFormat }, 2n ** 64n - 1n)
      await write('fill-odd', { dtype: 'int64', zarrFormat }, -(2n ** 53n) - 1n)
      await write('fill-least', { dtype: 'int64', zarrFormat }, -(2n ** 63n))
      await write('fill-true', { dtype: 'bool', zarrFormat }, 1)
      const blosc = ['blosclz', 'lz4', 'lz4hc', 'zlib', 'zstd'].map((name) => `blosc-${name}`)
      for (const codec of [
        'raw',
        'gzip:9',
        'zstd:19',
        'zstd:-3',
        'blosc:9',
        ...blosc,
        ...(zarrFormat === 2 ? ['zlib', 'lz4'] : []),
      ]) {
        for (const dtype of ['uint8', 'uint16', 'float64'] as const) {
          await write(`codec-${codec.replace(':', '')}-${dtype}`, { dtype, codec, zarrFormat })
        }
      }
    }
    for (const codec of ['raw', 'zstd', 'blosc']) {
      await write(`shard-${codec}`, { dtype: 'uint16', codec, chunkShape: [2, 4, 4], shardShape: [4, 8, 8] }, 9)
    }
    await writeFile(join(folder, 'index.json'), JSON.stringify(entries))
    const output = await runPython(python, script('read_arrays.py'), [folder])
    assert.deepEqual(output.trim().split('\n'), [String(entries.length)])
  })
})
