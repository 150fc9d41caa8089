import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readOnePiece } from '../../../src/adapters/hdf5/ranges/one-piece.ts'
import { copyBox, offsetOf } from '../../../src/core/array/box-copy.ts'
import { rowMajorStrides } from '../../../src/core/array/strides.ts'
import type { ByteFile } from '../../../src/ports/byte-file.ts'

const SHAPE = [3, 4, 6, 5000]
const START = 77

/** A file in memory, and how often it was read. */
function fileOf(bytes: Uint8Array): ByteFile & { reads: number } {
  return {
    ...{ path: 'a.h5', byteLength: bytes.length, id: 'a', isRemote: false, reads: 0 },
    read(into, position) {
      this.reads++
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    load: async () => ({ [Symbol.dispose]() {} }),
    [Symbol.dispose]() {},
  }
}

describe('a dataset of HDF5 in one piece', () => {
  const voxels = Uint32Array.from({ length: 3 * 4 * 6 * 5000 }, (_, i) => Math.imul(i, 2654435761))
  const bytes = new Uint8Array(voxels.buffer)
  const strides = rowMajorStrides(SHAPE, 4)

  for (const bigEndian of [false, true]) {
    const stored = bytes.slice()
    if (bigEndian) Buffer.from(stored.buffer).swap32()
    const file = fileOf(Buffer.concat([Buffer.alloc(START, 0xee), stored]))

    it(`is read in as few pieces as there can be, ${bigEndian ? 'big' : 'little'}-endian`, () => {
      for (const [offset, shape, around, reads] of [
        [[0, 0, 0, 0], SHAPE, SHAPE, 1],
        [[1, 0, 0, 0], [2, 4, 6, 5000], [2, 4, 6, 5000], 1],
        [[1, 1, 0, 0], [2, 2, 6, 5000], [2, 2, 6, 5000], 2],
        [[0, 2, 5, 300], [3, 1, 1, 4500], [3, 1, 1, 4500], 3],
        [[0, 2, 1, 0], [1, 2, 3, 5000], [2, 3, 6, 5003], 6],
      ] as const) {
        const memory = new Uint8Array(4 * around.reduce((product, length) => product * length, 1)).fill(9)
        const expected = memory.slice()
        const at = { bytes: expected, start: 0, strides: rowMajorStrides(around, 4) }
        copyBox(shape, 4, { bytes, start: offsetOf(offset, strides), strides }, at)
        file.reads = 0
        const piece = { file, start: START, shape: SHAPE, elementBytes: 4, bigEndian }
        assert.ok(readOnePiece(piece, { offset, shape }, { bytes: memory, box: { offset, shape: around } }))
        assert.deepEqual([file.reads, Buffer.compare(memory, expected)], [reads, 0])
      }
    })
  }

  it('is left to the library if its rows are short, or its file has ended', () => {
    const piece = { start: START, shape: SHAPE, elementBytes: 4, bigEndian: false }
    const read = (file: ByteFile, shape: readonly number[]) => {
      const box = { offset: [0, 0, 0, 0], shape }
      return readOnePiece({ ...piece, file }, box, { bytes: new Uint8Array(4 * 3 * 4 * 6 * 5000), box })
    }
    assert.equal(read(fileOf(bytes), [3, 4, 6, 4000]), false)
    assert.equal(read(fileOf(bytes), SHAPE), false)
  })
})
