import { areLargeIntegers, areSmallIntegers, largeModesOfRow, MOST_COMPARED, modesOfRow } from './modes.ts'
import { assertShape, elementCount, emptyLike, type ShapedVoxels, type TypedArray } from './voxels.ts'

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
    if (method === 'mean') fillMeans(data, shape, cell, out, outShape)
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

/** How many of a cell's voxels there are along an axis: fewer at the end. */
const extent = (length: number, cell: number, index: number): number => Math.min(cell, length - index * cell)

/** The rows along the last axis of an array, in C order: the index on every other axis. */
function* rowsOf(shape: readonly number[]): Generator<readonly number[]> {
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0)
  for (;;) {
    yield index
    let axis = index.length - 1
    for (; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
    if (axis < 0) return
  }
}

function fillMeans(
  data: TypedArray,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
  outShape: readonly number[],
): void {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) fillBigMeans(data, shape, cell, out, outShape)
  else fillNumberMeans(data as Float64Array, shape, cell, out as Float64Array, outShape)
}

function fillNumberMeans(
  data: Float64Array,
  shape: readonly number[],
  cell: readonly number[],
  out: Float64Array,
  outShape: readonly number[],
): void {
  const strides = stridesOf(shape)
  const placesOf = cachedPlaces(strides)
  const [width, across, outWidth] = [shape.at(-1) ?? 1, cell.at(-1) ?? 1, outShape.at(-1) ?? 1]
  const whole = Math.floor(width / across)
  // Sums of small integers fit into 32 bits, and are divided by shifts.
  const isSmall = !isFloat(data) && data.BYTES_PER_ELEMENT <= 2 && elementCount(cell) <= 2 ** 14
  const sums = isSmall ? new Int32Array(outWidth) : new Float64Array(outWidth)
  const round = isFloat(data) ? (sum: number, count: number) => sum / count : rounded
  let to = 0
  for (const index of rowsOf(outShape)) {
    const from = index.reduce((place, at, axis) => place + at * cell[axis]! * strides[axis]!, 0)
    const rows = placesOf(index.map((at, axis) => extent(shape[axis]!, cell[axis]!, at)))
    const shift = Math.log2(rows.length * across)
    if (isSmall && rows.length === 4 && across === 2) {
      meansOfEight(data, from, rows, out, to, whole)
    } else {
      sums.fill(0)
      for (let row = 0; row < rows.length; row++) addRow(data, from + rows[row]!, whole, across, sums)
      if (isSmall && shift >= 1 && Number.isInteger(shift)) divideByShift(sums as Int32Array, shift, out, to, whole)
      else for (let x = 0; x < whole; x++) out[to + x] = round(sums[x]!, rows.length * across)
    }
    if (whole < outWidth) out[to + whole] = lastMean(data, from + whole * across, rows, width - whole * across, round)
    to += outWidth
  }
}

const stridesOf = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1))

/** Adds each cell's voxels of one row. The order of additions is that of the voxels. */
function addRow(
  data: Float64Array,
  from: number,
  cells: number,
  across: number,
  sums: Float64Array | Int32Array,
): void {
  if (across === 2) {
    for (let x = 0, at = from; x < cells; x++, at += 2) sums[x] = sums[x]! + data[at]! + data[at + 1]!
    return
  }
  for (let x = 0, at = from; x < cells; x++) {
    let sum = sums[x]!
    for (const end = at + across; at < end; at++) sum += data[at]!
    sums[x] = sum
  }
}

/** The mean of the last, smaller cell of a row. */
function lastMean(
  data: Float64Array,
  from: number,
  rows: Int32Array,
  across: number,
  round: (sum: number, count: number) => number,
): number {
  let sum = 0
  for (const row of rows) for (let x = 0; x < across; x++) sum += data[from + row + x]!
  return round(sum, rows.length * across)
}

/** Divides by 2^shift: to the nearest integer, halves to the even one. */
function divideByShift(sums: Int32Array, shift: number, out: Float64Array, to: number, count: number): void {
  const below = 2 ** (shift - 1) - 1
  for (let x = 0; x < count; x++) {
    const sum = sums[x]!
    out[to + x] = (sum + below + ((sum >> shift) & 1)) >> shift
  }
}

/** Cells of 2 × 2 × 2 small integers. @param rows the places of their four rows */
function meansOfEight(
  data: Float64Array,
  from: number,
  rows: Int32Array,
  out: Float64Array,
  to: number,
  count: number,
): void {
  let a = from + rows[0]!
  let b = from + rows[1]!
  let c = from + rows[2]!
  let d = from + rows[3]!
  for (let x = to; x < to + count; x++, a += 2, b += 2, c += 2, d += 2) {
    const sum =
      (data[a]! + data[a + 1]! + data[b]! + data[b + 1]! + data[c]! + data[c + 1]! + data[d]! + data[d + 1]!) | 0
    out[x] = (sum + 3 + ((sum >> 3) & 1)) >> 3
  }
}

function fillBigMeans(
  data: BigInt64Array | BigUint64Array,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
  outShape: readonly number[],
): void {
  const [width, across, outWidth] = [shape.at(-1) ?? 1, cell.at(-1) ?? 1, outShape.at(-1) ?? 1]
  const sums = new Array<bigint>(out.length).fill(0n)
  let from = 0
  for (const index of rowsOf(shape)) {
    const row = index.reduce((place, at, axis) => place * outShape[axis]! + Math.floor(at / cell[axis]!), 0)
    addBigRow(data, from, width, across, sums, row * outWidth)
    from += width
  }
  let to = 0
  for (const index of rowsOf(outShape)) {
    const above = index.reduce((count, at, axis) => count * extent(shape[axis]!, cell[axis]!, at), 1)
    for (let x = 0; x < outWidth; x++, to++) {
      out[to] = roundedBig(sums[to]!, above * extent(width, across, x)) as never
    }
  }
}

function addBigRow(
  data: BigInt64Array | BigUint64Array,
  from: number,
  width: number,
  across: number,
  sums: bigint[],
  to: number,
): void {
  for (let x = 0; x < width; x++) sums[to + Math.floor(x / across)]! += data[from + x]!
}

const isFloat = (data: TypedArray): boolean => /^Float/.test(data[Symbol.toStringTag])

/** The integer nearest to sum / count, halves to the even one. */
function rounded(sum: number, count: number): number {
  const below = Math.floor(sum / count)
  const rest = 2 * (sum - below * count)
  return rest > count || (rest === count && below % 2 !== 0) ? below + 1 : below
}

function roundedBig(sum: bigint, count: number): bigint {
  const whole = BigInt(count)
  // BigInt division goes towards 0.
  const below = sum / whole - (sum % whole < 0n ? 1n : 0n)
  const rest = 2n * (sum - below * whole)
  return rest > whole || (rest === whole && below % 2n !== 0n) ? below + 1n : below
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
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
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

/** The places of a cell's voxels, C order; computed again only if the shape of the cell differs from the last one. */
function cachedPlaces(strides: readonly number[]): (extents: readonly number[]) => Int32Array {
  let last = { extents: [] as readonly number[], places: new Int32Array(1) }
  return (extents) => {
    if (extents.every((length, axis) => length === last.extents[axis])) return last.places
    let places = [0]
    for (const [axis, length] of extents.entries()) {
      places = places.flatMap((place) => Array.from({ length }, (_, i) => place + i * strides[axis]!))
    }
    last = { extents, places: Int32Array.from(places) }
    return last.places
  }
}
