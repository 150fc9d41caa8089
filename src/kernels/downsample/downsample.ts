import {
  areLargeIntegers,
  assertShape,
  elementCount,
  emptyLike,
  isFloat,
  type ShapedVoxels,
  stridesOf,
  type TypedArray,
} from '../voxels.ts'
import { cachedPlaces, extent, rowsOf } from './cells.ts'
import { areCellsOfTwo, fillMeansOfTwo } from './means-module.ts'
import { areSmallIntegers, largeModesOfRow, MOST_COMPARED, modesOfRow } from './modes.ts'
import { fillMeans } from './plain-means.ts'

/** How a cell of voxels becomes one voxel: their mean, their most frequent value, or the first one. */
export type DownsampleMethod = 'mean' | 'mode' | 'stride'

/** Options of {@link downsampleVoxels}. */
export interface DownsampleOptions {
  /** Voxels per cell, a whole number ≥ 1 for each of the last axes; the axes before them keep their length. */
  readonly factor: readonly number[]
  readonly method: DownsampleMethod
}

/**
 * Replaces every cell of `factor` voxels by one voxel; the last cells of an axis are smaller if its length is not a multiple.
 *
 * - `mean`: for integers exact and rounded to the nearest integer, halves to the even one; for floats summed in float64 in C order.
 * - `mode`: the most frequent value, the smallest one in a tie; NaN counts as one value that is larger than all others.
 * - `stride`: the voxel at the low corner.
 *
 * @returns voxels of the same type; their shape is that of the input divided by the factor, rounded up
 * @throws RangeError for a factor that is not a whole number ≥ 1, or that has more axes than the voxels
 * @example downsampleVoxels({ data: Uint8Array.of(1, 3, 5), shape: [3] }, { factor: [2], method: 'mean' }) // data [2, 5], shape [2]
 */
export function downsampleVoxels<Data extends TypedArray>(
  { data, shape }: ShapedVoxels & { readonly data: Data },
  { factor, method }: DownsampleOptions,
): { data: Data; shape: number[] } {
  assertShape(data, shape)
  const cell = cellOf(shape, factor)
  const outShape = shape.map((length, axis) => Math.ceil(length / cell[axis]!))
  const out = emptyLike(data, elementCount(outShape))
  if (out.length > 0) {
    if (method === 'mean' && areCellsOfTwo(data, shape, cell)) fillMeansOfTwo(data, shape, cell, out)
    else if (method === 'mean') fillMeans(data, shape, cell, out, outShape)
    else if (method === 'mode' && shape.length > 0 && elementCount(cell) <= MOST_COMPARED && !isFloat(data)) {
      fillModes(data, shape, cell, out, outShape)
    } else fillFromCells(data, shape, cell, out, outShape, method === 'mode' ? voteOf(data, cell) : undefined)
  }
  return { data: out, shape: outShape }
}

function cellOf(shape: readonly number[], factor: readonly number[]): number[] {
  if (factor.length > shape.length || !factor.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    throw new RangeError(
      `The factor is (${factor.join(', ')}); expected whole numbers from 1, at most ${shape.length} for the shape (${shape.join(', ')}).`,
    )
  }
  return [...shape.slice(factor.length).map(() => 1), ...factor]
}

/** The most frequent values of cells of few integers. */
function fillModes(
  data: TypedArray,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
  outShape: readonly number[],
): void {
  const strides = stridesOf(shape)
  const placesOf = cachedPlaces(strides)
  const [width, across, outWidth] = [shape.at(-1)!, cell.at(-1)!, outShape.at(-1)!]
  const whole = Math.floor(width / across)
  const fill = (row: Parameters<typeof modesOfRow>[2]): void => {
    if (areLargeIntegers(data) && areLargeIntegers(out)) largeModesOfRow(data, out, row)
    else if (areSmallIntegers(data) && areSmallIntegers(out)) modesOfRow(data, out, row)
  }
  let to = 0
  for (const index of rowsOf(outShape)) {
    const from = index.reduce((place, at, axis) => place + at * cell[axis]! * strides[axis]!, 0)
    const rows = placesOf(index.map((at, axis) => extent(shape[axis]!, cell[axis]!, at)))
    fill({ from, rows, across, count: whole, to })
    if (whole < outWidth) {
      fill({ from: from + whole * across, rows, across: width - whole * across, count: 1, to: to + whole })
    }
    to += outWidth
  }
}

/** Picks the place of the value that represents a cell. @param places of its voxels, relative to `base` */
type Vote = (base: number, places: Int32Array) => number

/** Up to this many values, an insertion sort is faster. */
const FEW = 32

function voteOf(data: TypedArray, cell: readonly number[]): Vote {
  const order = new Int32Array(elementCount(cell))
  const isUniform = uniformity(data)
  const isNaNAt = (at: number) => Number.isNaN(data[at])
  const isSame = (a: number, b: number) => data[a] === data[b] || (isNaNAt(a) && isNaNAt(b))
  const isAfter = (a: number, b: number) => data[a]! > data[b]! || (isNaNAt(a) && !isNaNAt(b))
  return (base, places) => {
    if (isUniform(base, places)) return base
    const count = places.length
    if (count <= FEW) {
      for (let i = 0; i < count; i++) {
        const place = base + places[i]!
        let j = i
        for (; j > 0 && isAfter(order[j - 1]!, place); j--) order[j] = order[j - 1]!
        order[j] = place
      }
    } else {
      for (let i = 0; i < count; i++) order[i] = base + places[i]!
      order.subarray(0, count).sort((a, b) => (isAfter(a, b) ? 1 : isAfter(b, a) ? -1 : 0))
    }
    let best = order[0]!
    let most = 0
    for (let i = 0, start = 0; i < count; i++) {
      if (!isSame(order[start]!, order[i]!)) start = i
      if (i - start + 1 > most) {
        most = i - start + 1
        best = order[start]!
      }
    }
    return best
  }
}

/**
 * Tests whether all voxels of a cell are equal, as in most cells of labels. 64-bit integers are compared by halves, because
 * `bigint` is slow.
 */
function uniformity(data: TypedArray): (base: number, places: Int32Array) => boolean {
  if (areLargeIntegers(data)) {
    const halves = new Uint32Array(data.buffer, data.byteOffset, 2 * data.length)
    return (base, places) => {
      const [low, high] = [halves[2 * base]!, halves[2 * base + 1]!]
      for (let i = 1; i < places.length; i++) {
        const at = 2 * (base + places[i]!)
        if (halves[at] !== low || halves[at + 1] !== high) return false
      }
      return true
    }
  }
  return (base, places) => {
    const first = data[base]
    for (let i = 1; i < places.length; i++) if (data[base + places[i]!] !== first) return false
    return true
  }
}

function fillFromCells(
  data: TypedArray,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
  outShape: readonly number[],
  vote: Vote | undefined,
): void {
  const strides = stridesOf(shape)
  const [wholePlaces, lastPlaces] = [cachedPlaces(strides), cachedPlaces(strides)]
  const [width, across, outWidth] = [shape.at(-1) ?? 1, cell.at(-1) ?? 1, outShape.at(-1) ?? 1]
  let to = 0
  for (const index of rowsOf(outShape)) {
    const from = index.reduce((place, at, axis) => place + at * cell[axis]! * strides[axis]!, 0)
    const above = index.map((at, axis) => extent(shape[axis]!, cell[axis]!, at))
    // A shape without axes is one voxel.
    const along = (x: number) => (shape.length === 0 ? [] : [...above, extent(width, across, x)])
    const [whole, last] = [wholePlaces(along(0)), lastPlaces(along(outWidth - 1))]
    for (let x = 0; x < outWidth; x++, to++) {
      const base = from + x * across
      out[to] = data[vote === undefined ? base : vote(base, x === outWidth - 1 ? last : whole)] as never
    }
  }
}
