import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { placeInSection, rasterize, sectionOf } from '../../../../src/viewer/dashboard/blocks/block-raster.ts'

const palette = Uint32Array.of(0xff000001, 0xff000002, 0xff000003, 0xff000004, 0xff0000f5, 0xff0000a6, 0xff000007)

describe('a section through a grid of blocks', () => {
  it('has the blocks of its plane, each at its position, and no others', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
        fc.constantFrom([1, 2], [0, 2], [1, 0]),
        fc.nat(100),
        (shape, [down, across], where) => {
          const fixed = 3 - (down as number) - (across as number)
          const at = shape.map((length, axis) => (axis === fixed ? where % length : 0))
          const section = sectionOf(shape, down as number, across as number, at)
          const [, ny, nx] = shape
          const seen: number[] = []
          for (let index = 0; index < shape[0] * ny * nx; index++) {
            const coordinates = [Math.floor(index / (ny * nx)), Math.floor(index / nx) % ny, index % nx]
            const place = placeInSection(section, index)
            if (coordinates[fixed] !== at[fixed]) assert.equal(place, undefined)
            else {
              assert.deepEqual(place, { row: coordinates[down as number], column: coordinates[across as number] })
              seen.push(index)
            }
          }
          assert.equal(seen.length, section.rows * section.columns)
        },
      ),
    )
  })

  it('is drawn block by block if there is room, and single rows are drawn as in the complete section', () => {
    const codes = Uint8Array.from({ length: 60 }, (_, i) => i % 7)
    const section = sectionOf([3, 4, 5], 0, 2, [0, 2, 0])
    const pixels = new Uint32Array(15)
    rasterize(codes, section, palette, pixels, 5, 3)
    const wanted = Array.from({ length: 15 }, (_, i) => palette[codes[Math.floor(i / 5) * 20 + 10 + (i % 5)] as number])
    assert.deepEqual([...pixels], wanted)
    const again = pixels.slice()
    again.fill(0, 5, 10)
    rasterize(codes, section, palette, again, 5, 3, 1, 2)
    assert.deepEqual(again, pixels)
  })

  it('shows one failed block among a thousand, however small it is', () => {
    const codes = new Uint8Array(100 * 100).fill(3)
    const section = sectionOf([100, 100], 0, 1, [0, 0])
    const pixels = new Uint32Array(7 * 9)
    for (const failed of [0, 5049, 9999]) {
      codes[failed] = 4
      rasterize(codes, section, palette, pixels, 9, 7)
      assert.equal(pixels.filter((color) => color === palette[4]).length, 1)
      codes[failed] = 3
    }
    // Half done is drawn in an intermediate colour.
    const half = codes.map((_, i) => (i % 2 === 0 ? 3 : 0))
    rasterize(half, section, Uint32Array.of(0xff000000, 0, 0, 0xff0000fe), pixels, 1, 1)
    assert.equal(pixels[0], 0xff00007f)
  })
})
