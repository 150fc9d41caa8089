import { assertShape, countElements, emptyLike, type TypedArray, type Voxels } from './voxels.ts'

/** How the voxels of a cell become one: their mean, their most frequent value, or the first of them. */
export type DownsampleMethod = 'mean' | 'mode' | 'stride'

/** What {@link downsampleVoxels} is given. */
export interface DownsampleOptions {
  /** Voxels per cell, one whole number ≥ 1 for each of the last axes; the axes before them stay as they are. */
  readonly factor: readonly number[]
  readonly method: DownsampleMethod
}

/**
 * Makes one voxel of every cell of `factor` voxels; the last cells of an axis have fewer where its length is no multiple.
 *
 * - `mean` of integers is exact and rounded to the nearest, halves to the even one; of floats it is summed in float64 in C order.
 * - `mode` of values that are as frequent is the smallest of them; NaN is one value, larger than all.
 * - `stride` is the voxel at the low corner.
 *
 * @returns voxels of the same type; their shape is that of `voxels` over the factor, rounded up
 * @throws RangeError for a factor that is no whole number ≥ 1, or that has more axes than the voxels
 */
export function downsampleVoxels<Data extends TypedArray>(
  { data, shape }: Voxels & { readonly data: Data },
  { factor, method }: DownsampleOptions,
): { data: Data; shape: number[] } {
  assertShape(data, shape)
  const cell = cellOf(shape, factor)
  const outShape = shape.map((length, axis) => Math.ceil(length / cell[axis]!))
  const out = emptyLike(data, countElements(outShape))
  if (out.length > 0) {
    if (method === 'mean') fillMeans(data, shape, cell, out, outShape)
    else fillFromCells(data, shape, cell, out, outShape, method === 'mode' ? voteOf(data, cell) : undefined)
  }
  return { data: out, shape: outShape }
}

function cellOf(shape: readonly number[], factor: readonly number[]): number[] {
  if (factor.length > shape.length || !factor.every((length) => Number.isSafeInteger(length) && length >= 1)) {
    throw new RangeError(
      `A factor of (${factor.join(', ')}) is not whole numbers from 1 on, at most one for each axis of (${shape.join(', ')}).`,
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
  const [width, across, outWidth] = [shape.at(-1) ?? 1, cell.at(-1) ?? 1, outShape.at(-1) ?? 1]
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array
  const sums = isBig ? new Array<bigint>(out.length).fill(0n) : new Float64Array(out.length)
  let from = 0
  for (const index of rowsOf(shape)) {
    const row = index.reduce((place, at, axis) => place * outShape[axis]! + Math.floor(at / cell[axis]!), 0)
    if (isBig) addBigRow(data, from, width, across, sums as bigint[], row * outWidth)
    else addRow(data as Float64Array, from, width, across, sums as Float64Array, row * outWidth)
    from += width
  }
  const round = isBig ? roundedBig : isFloat(data) ? (sum: number, count: number) => sum / count : rounded
  let to = 0
  for (const index of rowsOf(outShape)) {
    const above = index.reduce((count, at, axis) => count * extent(shape[axis]!, cell[axis]!, at), 1)
    for (let x = 0; x < outWidth; x++, to++) {
      out[to] = round(sums[to] as never, above * extent(width, across, x)) as never
    }
  }
}

function addRow(data: Float64Array, from: number, width: number, across: number, sums: Float64Array, to: number): void {
  for (let x = 0, cell = to; x < width; cell++) {
    let sum = sums[cell]!
    const end = Math.min(x + across, width)
    for (; x < end; x++) sum += data[from + x]!
    sums[cell] = sum
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

/** The whole number nearest to sum / count, the even one of two. */
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

/** Picks the place of the value that stands for a cell. @param places of its voxels, relative to `base` */
type Vote = (base: number, places: Int32Array) => number

/** Below this many values an insertion is faster than a sort. */
const FEW = 32

function voteOf(data: TypedArray, cell: readonly number[]): Vote {
  const order = new Int32Array(countElements(cell))
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
    for (let i = 0, begin = 0; i < count; i++) {
      if (!isSame(order[begin]!, order[i]!)) begin = i
      if (i - begin + 1 > most) {
        most = i - begin + 1
        best = order[begin]!
      }
    }
    return best
  }
}

/** Whether all voxels of a cell are the same: most cells of labels are. 64-bit integers by their halves, since a `bigint` for each is slow. */
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
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1))
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

/** The places of a cell's voxels, C order; made again only where the cell is another than the last one. */
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
