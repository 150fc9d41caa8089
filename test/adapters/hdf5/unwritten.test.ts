import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { hdf5Format } from '../../../src/adapters/hdf5/hdf5-format.ts'
import { type Hdf5Library, loadHdf5, scratchMemory } from '../../../src/adapters/hdf5/library.ts'
import { bytesOf, typedArray } from '../../../src/core/array/dtype.ts'
import { BlockwiseError } from '../../../src/core/errors.ts'
import { roi } from '../../../src/core/geometry/roi.ts'
import type { ChunkedArray } from '../../../src/ports/chunked-array.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'bellis-unwritten-'))
after(() => rmSync(folder, { recursive: true }))
const format = hdf5Format()

/** What h5py reads. */
type Answer = { readonly file: string; readonly name: string } & (
  | { readonly shape: readonly number[]; readonly bytes: string }
  | { readonly error: string }
)

/** Sizes of HDF5's own buffers for chunks, selections and conversions, and some between. */
const SIZES = [16, 40, 64, 104, 160, 286, 512, 1024, 2288, 4096, 16_384, 65_536]

/** Leaves a pattern in all memory that HDF5 is given next: in its heap, and where Bellis lets it write voxels. */
function poison(library: Hdf5Library, pattern: number): void {
  const pointers = SIZES.flatMap((size) =>
    Array.from({ length: size > 10_000 ? 1 : 8 }, () => {
      const pointer = library._malloc(size)
      library.HEAPU8.fill(pattern, pointer, pointer + size)
      return pointer
    }),
  )
  for (const pointer of pointers) library._free(pointer)
  const scratch = scratchMemory(library, 65_536)
  library.HEAPU8.fill(pattern, scratch, scratch + 65_536)
}

/** Reads a box into memory that is full of a pattern, as all of HDF5's memory is. */
async function readDirty(array: ChunkedArray, offset: readonly number[], shape: readonly number[], pattern: number) {
  const into = typedArray(
    array.dtype,
    shape.reduce((product, length) => product * length, 1),
  )
  bytesOf(into).fill(pattern)
  poison(await loadHdf5(), pattern)
  await array.readVoxels(roi(offset, shape), into)
  return bytesOf(into)
}

describe('HDF5 datasets of which parts were never written', () => {
  it('have the voxels that h5py reads, whatever was in memory before, or are refused when they are opened', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const script = new URL('make-unwritten.py', import.meta.url)
    const answers = JSON.parse(await runPython(python, script, [folder])) as Answer[]
    assert.ok(answers.length > 200)
    for (const answer of answers) {
      const where = `${answer.file}/${answer.name}`
      if ('error' in answer) {
        const isClear = (error: unknown) => error instanceof BlockwiseError && error.message.includes(answer.name)
        await assert.rejects(format.open(join(folder, answer.file), answer.name), isClear, where)
        continue
      }
      for (const pattern of [0xa5, 0x5a]) {
        poison(await loadHdf5(), pattern)
        await using array = await format.open(join(folder, answer.file), answer.name)
        const [height, width] = answer.shape as [number, number]
        const whole = await readDirty(array, [0, 0], [height, width], pattern)
        assert.equal(Buffer.from(whole).toString('hex'), answer.bytes, where)
        // A box that cuts chunks, twice: the second time from the chunks that were kept.
        for (const _ of [1, 2]) {
          const box = await readDirty(array, [3, 4], [height - 4, width - 4], pattern)
          const size = whole.length / height / width
          const rows = Array.from({ length: height - 4 }, (_row, row) => {
            const start = ((row + 3) * width + 4) * size
            return whole.subarray(start, start + (width - 4) * size)
          })
          assert.ok(Buffer.concat(rows).equals(box), `${where}, a part`)
        }
      }
    }
  })
})

describe('HDF5 datasets whose voxels are in other files', () => {
  const SCRIPT = `
import os, sys, json
import h5py, numpy as np
os.chdir(sys.argv[1])
with h5py.File('small.h5', 'w') as f:
    f['x'] = np.full((8, 16), 5, 'u1')
    f['after'] = np.full(4096, 99, 'u1')
    f.create_dataset('lzf', data=np.full((16, 16), 5, 'u1'), chunks=(8, 8), compression='lzf')
    f['text'] = ['a', 'b']
    f.create_dataset('large', shape=(16, 2 ** 25), dtype='u1', chunks=(16, 2 ** 25), compression='gzip')
def virtual(name, source, fill=3, target=slice(0, 16)):
    layout = h5py.VirtualLayout(shape=(32, 16), dtype='u1')
    layout[target] = source
    with h5py.File('virtual.h5', 'a', libver=('earliest', 'latest')) as f:
        f.create_virtual_dataset(name, layout, fillvalue=fill)
virtual('too-small', h5py.VirtualSource('small.h5', 'x', shape=(16, 16)))
virtual('cut', h5py.VirtualSource('small.h5', 'x', shape=(40, 16))[0:16])
virtual('every-second', h5py.VirtualSource('small.h5', 'x', shape=(40, 16))[0:32:2])
virtual('other-axes', h5py.VirtualSource('small.h5', 'x', shape=(4, 40, 16))[0, 0:16])
virtual('no-dataset', h5py.VirtualSource('small.h5', 'y', shape=(16, 16)))
virtual('no-file', h5py.VirtualSource('gone.h5', 'x', shape=(16, 16)))
virtual('no-hdf5', h5py.VirtualSource('garbage.h5', 'x', shape=(16, 16)))
virtual('lzf', h5py.VirtualSource('small.h5', 'lzf', shape=(16, 16)))
virtual('large', h5py.VirtualSource('small.h5', 'large', shape=(16, 2 ** 25))[:, :16])
virtual('exact', h5py.VirtualSource('small.h5', 'x', shape=(8, 16)), target=slice(0, 8))
virtual('strided', h5py.VirtualSource('small.h5', 'x', shape=(8, 16)), target=slice(1, 17, 2))
virtual('part', h5py.VirtualSource('small.h5', 'x', shape=(8, 16))[2:4], target=slice(3, 5))
with h5py.File('raw.h5', 'w') as f:
    for name, parts in (('whole', [('a.raw', 4, 60), ('b.raw', 0, 40)]), ('short', [('a.raw', 4, 60), ('short.raw', 0, 40)]), ('gone', [('a.raw', 4, 60), ('gone.raw', 0, 40)])):
        f.create_dataset(name, shape=(10, 10), dtype='u1', external=parts, fillvalue=9)
with h5py.File('virtual.h5') as f:
    json.dump({name: f[name][...].tobytes().hex() for name in ('exact', 'strided', 'part')}, sys.stdout)
`
  it('are read if those have all of it, and refused before the first block, with the name of the file, if not', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    writeFileSync(join(folder, 'sources.py'), SCRIPT)
    writeFileSync(join(folder, 'garbage.h5'), 'no HDF5')
    writeFileSync(join(folder, 'a.raw'), Buffer.alloc(64, 7))
    writeFileSync(join(folder, 'b.raw'), Buffer.alloc(40, 8))
    writeFileSync(join(folder, 'short.raw'), Buffer.alloc(40, 8))
    const expected = JSON.parse(await runPython(python, join(folder, 'sources.py'), [folder])) as Record<string, string>
    truncateSync(join(folder, 'short.raw'), 39)
    // HDF5 looks for raw files where the process runs.
    const before = process.cwd()
    process.chdir(folder)
    t.after(() => process.chdir(before))
    for (const [name, bytes] of Object.entries(expected)) {
      await using array = await format.open('virtual.h5', name)
      for (const pattern of [0xa5, 0x5a]) {
        const found = await readDirty(array, [0, 0], [32, 16], pattern)
        assert.equal(Buffer.from(found).toString('hex'), bytes, name)
      }
    }
    await using whole = await format.open('raw.h5', 'whole')
    assert.deepEqual(
      await readDirty(whole, [0, 0], [10, 10], 0xa5),
      new Uint8Array([...Array(60).fill(7), ...Array(40).fill(8)]),
    )
    const refused: Record<string, RegExp> = {
      'virtual.h5/too-small': /small\.h5\/x" has the shape \(8, 16\); expected 256 voxels/,
      'virtual.h5/cut': /small\.h5\/x" has the shape \(8, 16\); expected at least \(16, 16\)/,
      'virtual.h5/every-second': /expected at least \(31, 16\)/,
      'virtual.h5/other-axes': /expected at least \(1, 16, 16\)/,
      'virtual.h5/no-dataset': /small\.h5" has no "y"/,
      'virtual.h5/no-file': /"gone\.h5" is missing; restore it/,
      'virtual.h5/no-hdf5': /garbage\.h5" is not an HDF5 file/,
      'virtual.h5/lzf': /small\.h5\/lzf" is stored with "lzf" \(HDF5 filter 32000\)/,
      'virtual.h5/large': /small\.h5\/large" has compressed chunks of \(16, 33554432\) voxels, 536870912 bytes/,
      'raw.h5/short': /"short\.raw", which is too short: expected 40 bytes, got 39/,
      'raw.h5/gone': /"gone\.raw", which is missing; restore it/,
    }
    for (const [path, text] of Object.entries(refused)) {
      const [file = '', name = ''] = path.split('/')
      const isClear = (error: unknown) => {
        assert.ok(error instanceof BlockwiseError)
        assert.match(error.message, text)
        assert.ok(error.message.includes(path), error.message)
        return true
      }
      await assert.rejects(format.open(file, name), isClear, path)
    }
  })
})
