import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type AxisChunks, chunkParts, gridShape } from '../../../src/adapters/zarr/chunks/chunk-grid.ts'
import { parseChunkGrid } from '../../../src/adapters/zarr/metadata/chunk-grids.ts'
import type { Json } from '../../../src/adapters/zarr/metadata/exact-json.ts'
import { zarrFormat } from '../../../src/adapters/zarr/zarr-format.ts'
import { bytesOf } from '../../../src/core/array/dtype.ts'
import { pythonOrSkip, runPython } from '../../support/python.ts'
import { countOf, noise, temporaryFolder } from '../../support/zarr.ts'

const format = zarrFormat()

const gridOf = (shapes: unknown, shape: readonly number[]) =>
  parseChunkGrid(
    { name: 'rectilinear', configuration: { kind: 'inline', chunk_shapes: shapes as Json } },
    shape,
    'a.zarr/zarr.json',
  )

describe('a rectilinear chunk grid', () => {
  it('has the lengths that the registry of extensions gives as its example', () => {
    const shapes = [[[2, 3]], [[1, 6]], [1, [2, 1], 3], [[1, 3], 3], [6]]
    // An array in brackets is a run where a number would be a length: the first two axes are regular.
    assert.deepEqual(gridOf(shapes, [6, 6, 6, 6, 6]), {
      shape: [2, 1, 3, 3, 6],
      grid: [2, 1, [0, 1, 3, 6], [0, 1, 2, 3, 6], 6],
    })
  })

  it('is a regular one if all chunks are equally long, whatever lies beyond the array', () => {
    assert.deepEqual(gridOf([[4, 4, 4, 1], [[3, 2 ** 40]], 5], [10, 2 ** 30, 7]), { shape: [4, 3, 5] })
  })

  it('has each voxel of a box in exactly one part, in its own place', () => {
    const axis = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }).chain((edges) => {
      const length = edges.reduce((sum, edge) => sum + edge, 0)
      return fc.record({
        edges: fc.constant(edges),
        length: fc.constant(length),
        box: fc.tuple(fc.nat(length - 1), fc.nat(length - 1)).map((ends) => ends.sort((a, b) => a - b)),
      })
    })
    fc.assert(
      fc.property(fc.array(axis, { minLength: 1, maxLength: 3 }), (axes) => {
        const shape = axes.map(({ length }) => length)
        const { shape: longest, grid = longest } = gridOf(
          axes.map(({ edges }) => edges),
          shape,
        )
        const startOf = (edges: readonly number[], at: number) =>
          edges.slice(0, at).reduce((sum, edge) => sum + edge, 0)
        const counts = gridShape(shape, grid)
        assert.deepEqual(
          counts,
          axes.map(({ edges }) => edges.length),
        )
        const offset = axes.map(({ box }) => box[0] as number)
        const size = axes.map(({ box }) => (box[1] as number) - (box[0] as number) + 1)
        let voxels = 0
        for (const part of chunkParts(offset, size, grid as readonly AxisChunks[])) {
          voxels += countOf(part.shape)
          part.index.forEach((at, i) => {
            const { edges } = axes[i] as (typeof axes)[number]
            const start = startOf(edges, at)
            const inArray = start + (part.inChunk[i] as number)
            assert.equal(inArray, (offset[i] as number) + (part.inBox[i] as number))
            assert.ok((part.inChunk[i] as number) + (part.shape[i] as number) <= (edges[at] as number))
          })
        }
        assert.equal(voxels, countOf(size))
      }),
    )
  })

  it('is refused with its reason if it is none', () => {
    const wrong: readonly (readonly [unknown, string, RegExp])[] = [
      [[[4, 4], [3]], 'INVALID_METADATA', /is 8 voxels along an axis of 9/],
      [[[4, 5]], 'INVALID_METADATA', /expected an entry for each of the 2 axes/],
      [undefined, 'INVALID_METADATA', /chunk_shapes/],
      [[[9], [0, 3]], 'INVALID_METADATA', /has the entry 0/],
      [[[9], [[3, 1, 1]]], 'INVALID_METADATA', /expected lengths of at least 1, or \[length, count\]/],
      [[[9], [1.5, 1.5]], 'INVALID_METADATA', /1\.5/],
      [[9, '3'], 'INVALID_METADATA', /"3"/],
      [[9, []], 'INVALID_METADATA', /is 0 voxels along an axis of 3/],
    ]
    for (const [shapes, code, message] of wrong) assert.throws(() => gridOf(shapes, [9, 3]), { code, message })
    // Neither takes memory for what it says.
    assert.throws(() => gridOf([[[1, 2 ** 40], 2]], [2 ** 40 + 2]), { code: 'UNSUPPORTED', message: /larger/ })
    assert.throws(() => gridOf([[[1, 2 ** 40]]], [2 ** 41]), { code: 'UNSUPPORTED', message: /larger/ })
  })
})

describe('arrays with rectilinear chunks', () => {
  it('are read as zarr-python wrote their chunks, whole and in boxes, and are not written', async (t) => {
    const python = pythonOrSkip(t)
    if (python === undefined) return
    const folder = await temporaryFolder(t)
    await runPython(python, new URL('interop/write_rectilinear.py', import.meta.url), [folder])
    const container = join(folder, 'a.zarr')
    const stored = {
      missing: [2, 4],
      sharded: [6, 6],
      runs: [12, 12],
      beyond: [4, 4],
      step: [9, 9],
      transposed: [4, 4],
    }
    for (const [name, [files, total]] of Object.entries(stored)) {
      const array = await format.open(container, name)
      const { shape, dtype } = array
      assert.equal(array.chunksVary, true, name)
      assert.deepEqual(await array.countStoredChunks?.(), { stored: files, total }, name)
      const data = await readFile(join(folder, `${name}.bin`))
      const into = noise(dtype, countOf(shape), 1)
      await array.readVoxels({ offset: shape.map(() => 0), shape }, into)
      assert.ok(data.equals(bytesOf(into)), `${name} has other data`)
      // Twice: the second time from the chunks that were kept.
      for (let pass = 0; pass < 2; pass++) await assertPlanes(array, data, name)
      await assert.rejects(format.open(container, name, { mode: 'r+' }), {
        code: 'UNSUPPORTED',
        message: /chunks of different shapes.*write to another array/,
      })
    }
    assert.deepEqual((await format.open(container, 'runs')).chunkShape, [3, 3, 7])
    const regular = await format.open(container, 'regular', { mode: 'r+' })
    assert.deepEqual([regular.chunkShape, regular.chunksVary], [[4, 3], undefined])
    const into = noise('uint8', 54, 1)
    await regular.readVoxels({ offset: [0, 0], shape: [9, 6] }, into)
    assert.ok((await readFile(join(folder, 'regular.bin'))).equals(bytesOf(into)))
  })

  it('are refused if a shard does not consist of whole chunks', async (t) => {
    const container = join(await temporaryFolder(t), 'a.zarr')
    await format.create(container, 'raw', { shape: [8], dtype: 'uint8', chunkShape: [2], shardShape: [8] })
    const file = join(container, 'raw', 'zarr.json')
    const json = JSON.parse(await readFile(file, 'utf8'))
    const chunk_grid = { name: 'rectilinear', configuration: { kind: 'inline', chunk_shapes: [[2, 3, 3]] } }
    await writeFile(file, JSON.stringify({ ...json, chunk_grid }))
    await assert.rejects(format.open(container, 'raw'), { code: 'INVALID_METADATA', message: /not a multiple/ })
  })
})

/** Reads the planes along the first axis one by one. */
async function assertPlanes(array: Awaited<ReturnType<typeof format.open>>, data: Uint8Array, name: string) {
  const [depth = 0, ...rest] = array.shape
  const bytes = data.length / depth
  for (let z = 0; z < depth; z++) {
    const plane = noise(array.dtype, countOf(rest), 1)
    await array.readVoxels({ offset: [z, ...rest.map(() => 0)], shape: [1, ...rest] }, plane)
    assert.ok(Buffer.from(data.subarray(z * bytes, (z + 1) * bytes)).equals(bytesOf(plane)), `${name}, plane ${z}`)
  }
}
