import { areLargeIntegers, elementCount, isFloat, stridesOf, type TypedArray } from '../voxels.ts'
import { cachedPlaces, extent, rowsOf } from './cells.ts'

/**
 * The means of cells of any shape, in plain TypeScript: for cells that the module does not compute, and what its results are
 * compared with.
 */
export function fillMeans(
  data: TypedArray,
  shape: readonly number[],
  cell: readonly number[],
  out: TypedArray,
  outShape: readonly number[],
): void {
  if (areLargeIntegers(data)) fillBigMeans(data, shape, cell, out, outShape)
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
    sums.fill(0)
    for (let row = 0; row < rows.length; row++) addRow(data, from + rows[row]!, whole, across, sums)
    if (isSmall && shift >= 1 && Number.isInteger(shift)) divideByShift(sums as Int32Array, shift, out, to, whole)
    else for (let x = 0; x < whole; x++) out[to + x] = round(sums[x]!, rows.length * across)
    if (whole < outWidth) out[to + whole] = lastMean(data, from + whole * across, rows, width - whole * across, round)
    to += outWidth
  }
}

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
