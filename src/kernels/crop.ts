import { assertShape, elementCount, emptyLike, stridesOf, type TypedArray } from './voxels.ts'

/** Below this many elements a loop is faster than a `subarray` and a `set`. */
const SHORT_ROW = 24

/**
 * Copies a box of an array, C order, into a new array of the same type.
 * @param shape elements per axis of `data`, slowest first
 * @param offset low corner of the box, elements per axis
 * @param outShape elements per axis of the box
 * @throws RangeError if `data` is not of `shape`, the numbers of axes differ, or the box is not inside the array
 * @example cropBox(Uint8Array.of(1, 2, 3, 4), [2, 2], [0, 1], [2, 1]) // [2, 4]
 */
export function cropBox<Data extends TypedArray>(
  data: Data,
  shape: readonly number[],
  offset: readonly number[],
  outShape: readonly number[],
): Data {
  assertShape(data, shape)
  assertInside(shape, offset, outShape)
  const out = emptyLike(data, elementCount(outShape))
  if (out.length === 0) return out

  // The axes that are kept completely and the one before them form one run of memory.
  let axis = shape.length - 1
  let rest = 1
  while (axis > 0 && outShape[axis] === shape[axis]) rest *= shape[axis--]!
  const row = (outShape[axis] ?? 1) * rest
  const strides = stridesOf(shape)

  const index = new Array<number>(Math.max(axis, 0)).fill(0)
  let from = offset.reduce((sum, at, i) => sum + at * strides[i]!, 0)
  for (let to = 0; ; to += row) {
    copyRow(data, from, out, to, row)
    let moving = axis - 1
    for (; moving >= 0; moving--) {
      from += strides[moving]!
      if (++index[moving]! < outShape[moving]!) break
      from -= outShape[moving]! * strides[moving]!
      index[moving] = 0
    }
    if (moving < 0) return out
  }
}

function copyRow(data: TypedArray, from: number, out: TypedArray, to: number, count: number): void {
  if (count < SHORT_ROW) for (let i = 0; i < count; i++) out[to + i] = data[from + i] as never
  else out.set(data.subarray(from, from + count) as never, to)
}

/** @throws RangeError unless a box is inside an array */
export function assertInside(shape: readonly number[], offset: readonly number[], outShape: readonly number[]): void {
  const inside =
    offset.length === shape.length &&
    outShape.length === shape.length &&
    offset.every((at, i) => Number.isSafeInteger(at) && at >= 0 && at + outShape[i]! <= shape[i]!)
  if (!inside) {
    throw new RangeError(
      `The box of shape (${outShape.join(', ')}) at (${offset.join(', ')}) is not inside an array of shape (${shape.join(', ')}); cut it to the array first.`,
    )
  }
}
