import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { fillStateChunk } from '../../../src/core/board/state-chunk.ts'

describe('a volume of states', () => {
  it('has every block at its place in its chunks, and detects changes', () => {
    const length = fc.integer({ min: 1, max: 5 })
    fc.assert(
      fc.property(fc.array(fc.tuple(length, length), { minLength: 1, maxLength: 4 }), (axes) => {
        const shape = axes.map(([blocks]) => blocks)
        const chunkShape = axes.map(([, voxels]) => voxels)
        const size = (lengths: readonly number[]) => lengths.reduce((product, each) => product * each, 1)
        const codes = Uint8Array.from({ length: size(shape) }, (_, index) => 1 + (index % 200))
        const chunks = shape.map((blocks, axis) => Math.ceil(blocks / (chunkShape[axis] as number)))
        const split = (index: number, lengths: readonly number[]) =>
          lengths.map((each, axis) => Math.floor(index / size(lengths.slice(axis + 1))) % each)
        const seen = new Uint8Array(codes.length)
        for (let chunk = 0; chunk < size(chunks); chunk++) {
          const at = split(chunk, chunks)
          const data = new Uint8Array(size(chunkShape))
          assert.equal(fillStateChunk(data, at, codes, shape, chunkShape), true)
          assert.equal(fillStateChunk(data, at, codes, shape, chunkShape), false)
          for (const [voxel, code] of data.entries()) {
            const inside = split(voxel, chunkShape)
            const place = inside.map((each, axis) => each + (at[axis] as number) * (chunkShape[axis] as number))
            if (place.some((each, axis) => each >= (shape[axis] as number))) assert.equal(code, 0)
            else seen[place.reduce((index, each, axis) => index * (shape[axis] as number) + each, 0)] = code
          }
        }
        assert.deepEqual(seen, codes)
      }),
    )
  })
})
