import assert from 'node:assert/strict'
import type { Scalar, TypedArray } from '../../../src/core/array/dtype.ts'
import type { OpenPage } from './open-page.ts'

export const indices = (length: number): number[] => Array.from({ length }, (_, i) => i)

// No lines, bars and boxes over the data. Two pixels per voxel of the finest axis: for an odd and an even number of pixels in the
// panel, the pixel that starts at the centre of a voxel lies inside it.
export const BARE = {
  ...{ showAxisLines: false, showScaleBar: false, showDefaultAnnotations: false },
  ...{ layout: 'xy', crossSectionScale: 0.5 },
}
export const OPAQUE = { selectedAlpha: 1, notSelectedAlpha: 1, hideSegmentZero: false }

export interface Volume {
  readonly data: TypedArray
  readonly shape: readonly number[]
}

/** The values of the sections through a voxel, row by row, and which axes they show. */
function sectionsOf({ data, shape }: Volume, at: readonly number[]) {
  const [depth, height, width] = shape as [number, number, number]
  const [z, y, x] = at as [number, number, number]
  const value = (k: number, j: number, i: number) => data[(k * height + j) * width + i] as Scalar
  const [zs, ys, xs] = [indices(depth), indices(height), indices(width)]
  return [
    {
      layout: 'xy',
      across: 'x',
      down: 'y',
      columns: xs,
      rows: ys,
      values: ys.flatMap((j) => xs.map((i) => value(z, j, i))),
    },
    {
      layout: 'xz',
      across: 'x',
      down: 'z',
      columns: xs,
      rows: zs,
      values: zs.flatMap((k) => xs.map((i) => value(k, y, i))),
    },
    {
      layout: 'yz',
      across: 'z',
      down: 'y',
      columns: zs,
      rows: ys,
      values: ys.flatMap((j) => zs.map((k) => value(k, j, x))),
    },
  ]
}

/** Compares colours up to the rounding of the graphics card. Not for grey, which is exact. */
function isSame(drawn: string | undefined, wanted: string): boolean {
  if (drawn === undefined || drawn === wanted) return drawn === wanted
  const parts = (color: string) => [0, 2, 4].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
  const isGray = new Set(parts(wanted)).size === 1
  return !isGray && parts(drawn).every((part, i) => Math.abs(part - (parts(wanted)[i] as number)) <= 1)
}

export const gray = (value: number): string => value.toString(16).padStart(2, '0').repeat(3)

/** Compares each of the three sections with the data, voxel by voxel. */
export async function assertSections(
  open: OpenPage,
  volume: Volume,
  colorOf: (value: Scalar) => string,
  { lower = [0, 0, 0] }: { readonly lower?: readonly number[] } = {},
): Promise<void> {
  const at = volume.shape.map((length) => Math.floor(length / 3))
  const [oz, oy, ox] = lower as [number, number, number]
  const start: Record<string, number> = { z: oz, y: oy, x: ox }
  for (const { layout, across, down, columns, rows, values } of sectionsOf(volume, at)) {
    // At the edge of a voxel along the section, in its centre across it.
    const shown = [across, down]
    const position = ['x', 'y', 'z'].map((axis, i) => {
      const [first, length] = [start[axis] as number, volume.shape[2 - i] as number]
      return shown.includes(axis) ? first + Math.floor(length / 2) : first + (at[2 - i] as number) + 0.5
    })
    await open.restate({ ...BARE, layout, position })
    const colors = await open.colors({
      ...{ across, down },
      acrossVoxels: columns.map((i) => i + (start[across] as number)),
      downVoxels: rows.map((i) => i + (start[down] as number)),
    })
    const wrong = values.flatMap((value, i) => (isSame(colors[i], colorOf(value)) ? [] : [i]))
    const [first = 0] = wrong
    assert.equal(
      wrong.length,
      0,
      `${layout}: ${wrong.length} of ${values.length} differ; the first, ${first}: ${values[first]} is ${colors[first]}, not ${colorOf(values[first] as Scalar)}`,
    )
  }
  assert.deepEqual(open.complaints, [])
}
