import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hdf5Format } from '../../../../src/adapters/hdf5/hdf5-format.ts'
import { type NewDataset, WRITTEN_DTYPES, writeArrays } from '../../../../src/adapters/hdf5/writing/write-arrays.ts'
import { zarrFormat } from '../../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf, type DType, isBigDType, typedArray } from '../../../../src/core/array/dtype.ts'
import { roi } from '../../../../src/core/geometry/roi.ts'
import { describeChunkedArray } from '../../../contracts/chunked-array.contract.ts'
import { pythonOrSkip, runPython } from '../../../support/python.ts'
import { countOf, noise, temporaryFolder } from '../../../support/zarr.ts'

const zarr = zarrFormat()
const hdf5 = hdf5Format()

/** An array of noise in a folder, for a dataset. */
async function source(
  folder: string,
  inner: string,
  options: { readonly dtype: DType; readonly shape: readonly number[]; readonly chunkShape: readonly number[] },
): Promise<NewDataset['array']> {
  const array = await zarr.create(join(folder, 'source.zarr'), inner, options)
  await array.writeVoxels(
    roi(
      options.shape.map(() => 0),
      options.shape,
    ),
    noise(options.dtype, countOf(options.shape), inner.length),
  )
  return array
}

describe('an HDF5 file that is written', () => {
  it('is what h5py reads: all element types, odd shapes, groups, attributes, and no chunks of zeros', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    const attributes = {
      ...{ resolution: [40, 4.5, 1 / 3], name: 'µ', names: ['z', '', 'y'], count: 3, list: [1], empty: [], no: null },
      ...{
        nested: { a: [1, { b: 2 }] },
        mixed: [1, 'a'],
        flags: [true],
        long: Array.from({ length: 9000 }, (_, i) => i),
      },
      nul: 'a\0b',
    }
    const isStored = (value: unknown) =>
      typeof value === 'number' ||
      value === 'µ' ||
      value === attributes.resolution ||
      value === attributes.names ||
      value === attributes.list
    const expected = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, isStored(value) ? value : JSON.stringify(value)]),
    )
    const shapes = [[7], [5, 9], [6, 7, 11], [2, 3, 5, 7], [1, 1, 1]]
    const datasets: NewDataset[] = []
    const index: object[] = []
    for (const [i, dtype] of WRITTEN_DTYPES.entries()) {
      for (const [j, shape] of shapes.entries()) {
        const inner = j % 2 === 0 ? `${dtype}-${j}` : `groups/of ${dtype}/µ${j}`
        const chunkShape = shape.map((length) => Math.min(length, 4))
        const level = (i + j) % 3 === 0 ? undefined : (i + j) % 10
        const array = await source(folder, inner, { dtype, shape, chunkShape })
        const voxels = typedArray(dtype, countOf(shape))
        await array.readVoxels(
          roi(
            shape.map(() => 0),
            shape,
          ),
          voxels,
        )
        const data = join(folder, `${i}-${j}.bin`)
        writeFileSync(data, bytesOf(voxels))
        datasets.push({ inner, array, level, attributes })
        index.push({ inner, dtype, shape, chunkShape, data, level: level ?? null, attributes: expected })
      }
    }
    const sparse = await zarr.create(join(folder, 'source.zarr'), 'sparse', {
      dtype: 'uint8',
      shape: [40, 40],
      chunkShape: [10, 10],
    })
    await sparse.writeVoxels(roi([9, 9], [1, 2]), Uint8Array.of(1, 2))
    datasets.push({ inner: 'sparse', array: sparse, level: 1, attributes: {} })
    await writeArrays(join(folder, 'a.h5'), datasets)
    writeFileSync(join(folder, 'index.json'), JSON.stringify(index))
    const printed = await runPython(python, new URL('read_written.py', import.meta.url), [
      join(folder, 'a.h5'),
      join(folder, 'index.json'),
    ])
    assert.deepEqual(JSON.parse(printed), { sparse: 2 })
  })

  it('is an error that names the file where it cannot be written', async (t) => {
    const folder = await temporaryFolder(t)
    const array = await source(folder, 'a', { dtype: 'uint8', shape: [3], chunkShape: [3] })
    await assert.rejects(writeArrays(join(folder, 'none/a.h5'), [{ inner: 'a', array, level: 1, attributes: {} }]), {
      code: 'IO_ERROR',
      message: /none\/a\.h5" can't be written/,
    })
  })
})

let made = 0

describeChunkedArray('an HDF5 file that Bellis has written', {
  dtypes: WRITTEN_DTYPES,
  isWritable: false,
  fills: (dtype) => fc.constant(isBigDType(dtype) ? 0n : 0),
  async make(t, { shape, dtype, chunkShape }, voxels) {
    const folder = join(await temporaryFolder(t), `${made++}`)
    const chunk = chunkShape.map((length, axis) => Math.min(length, Math.max(1, shape[axis] ?? 1)))
    const array = await zarr.create(`${folder}.zarr`, 'raw', { shape, dtype, chunkShape: chunk })
    if (voxels !== undefined)
      await array.writeVoxels(
        roi(
          shape.map(() => 0),
          shape,
        ),
        voxels,
      )
    await writeArrays(`${folder}.h5`, [{ inner: 'g/raw', array, level: 4, attributes: {} }])
    return await hdf5.open(`${folder}.h5`, 'g/raw')
  },
})
