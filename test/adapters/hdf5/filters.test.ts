import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { bytesOf, type DType, typedArray } from '../../../src/core/array/dtype.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { type Roi, roi } from '../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, Model } from '../../support/zarr.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis-filters-'))
after(() => rmSync(folder, { recursive: true }))
const format = hdf5Format()

/** What h5py reads. */
interface Answer {
  readonly file: string
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly bytes: string
}

async function read(array: ChunkedArray, box: Roi<'voxel'>, pattern: number): Promise<Buffer> {
  const into = typedArray(array.dtype, countOf(box.shape))
  bytesOf(into).fill(pattern)
  await array.readVoxels(box, into)
  return Buffer.from(bytesOf(into))
}

describe('HDF5 datasets with filters that HDF5 itself lacks', () => {
  it('V11: have the voxels that h5py reads, however their chunks are found, whatever was in memory before', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const script = new URL('make-filters.py', import.meta.url)
    const answers = JSON.parse(await runPython(python, script, [folder])) as Answer[]
    assert.ok(answers.length > 200)
    for (const { file, name, shape, dtype, bytes } of answers) {
      const where = `${file}/${name}`
      const wanted = Buffer.from(bytes, 'base64')
      await using array = await format.open(join(folder, file), name)
      assert.deepEqual([array.dtype, array.shape], [dtype, shape], where)
      const zeros = shape.map(() => 0)
      for (const pattern of [0xa5, 0x5a]) {
        assert.ok(wanted.equals(await read(array, roi(zeros, shape), pattern)), where)
      }
      // A part that cuts chunks, and reaches beyond the dataset, where it has the fill value.
      const model = new Model(shape, dtype, array.fillValue)
      bytesOf(model.data).set(wanted)
      const box = roi<'voxel'>(
        shape.map((length) => Math.floor(length / 3)),
        shape.map((length) => Math.ceil(length / 1.4)),
      )
      assert.ok(Buffer.from(bytesOf(model.read(box))).equals(await read(array, box, 0xa5)), `${where}, a part`)
    }
    await using masked = await format.open(join(folder, 'filters.h5'), 'mask/lzf')
    assert.deepEqual(masked.codecs, ['shuffle', 'lzf', 'fletcher32'])
  })

  it('D4: are corrupt where a byte of a chunk was changed, or read as they are, but never crash', async (t) => {
    if (pythonOrSkip(t) === undefined) return
    const whole = readFileSync(join(folder, 'filters.h5'))
    const names = ['lzf-shuffle-checked', 'bitshuffle-lz4-0', 'blosc-zstd-1', 'blosc2-lz4-1', 'bzip2', 'zstd', 'lz4']
    let refused = 0
    for (let step = 0; step < 12; step++) {
      const changed = Buffer.from(whole)
      // The same bytes each time: a step through the data, in which no headers of HDF5 lie.
      for (let at = 20_000 + step * 487; at < changed.length; at += 6151) changed[at] = (changed[at] as number) ^ 0x55
      const path = join(folder, `changed-${step}.h5`)
      writeFileSync(path, changed)
      for (const name of names) {
        try {
          await using array = await format.open(path, `${name}/few`)
          await read(
            array,
            roi(
              array.shape.map(() => 0),
              array.shape,
            ),
            0,
          )
        } catch (error) {
          assert.ok(error instanceof BlockwiseError, `${name}: ${(error as Error).stack}`)
          refused++
        }
      }
      rmSync(path)
    }
    assert.ok(refused > 0)
  })
})
