import { setImmediate } from 'node:timers/promises'
import { copyBox, offsetOf } from '../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, bytesOf, type DType, type TypedArray, typedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { InfrastructureError } from '../../core/errors.ts'
import { type Coordinate, coordinate, productOf, subtractCoordinates } from '../../core/geometry/coordinate.ts'
import { isEmptyRoi, type Roi, roi } from '../../core/geometry/roi.ts'
import type { ByteRange } from '../../ports/byte-file.ts'
import type { ArrayAxis, ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'
import { onlyRead, partInside } from '../files/reading.ts'
import { swapBytes } from '../files/swap-bytes.ts'
import type { FlatKind, FlatLayout } from './flat-layout.ts'
import type { VoxelBytes } from './voxel-bytes.ts'

/** Bytes that are read at once, at most. */
const SPAN_BYTES = 8 * 2 ** 20

/** A span with few of the wanted bytes is worth reading if it is short. */
const SHORT_SPAN_BYTES = 64 * 2 ** 10
const LEAST_SHARE = 1 / 16

/** Whole rows, planes, … of about this many bytes are offered as chunks. */
const SLAB_BYTES = 2 ** 20

/** An array whose voxels lie in one piece behind a header, for reading. */
export class FlatArray implements ChunkedArray {
  readonly path: string
  readonly format: FlatKind['format']
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly order: 'C' | 'F'
  readonly codecs: readonly string[]
  readonly fillValue: number | bigint
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly writable = false
  readonly #layout: FlatLayout
  readonly #voxels: VoxelBytes
  #closed = false

  /** @param voxels which this array closes */
  constructor(path: string, format: FlatKind['format'], layout: FlatLayout, voxels: VoxelBytes) {
    const { shape, strides, dtype, rescale, packing } = layout
    this.path = path
    this.format = format
    this.shape = coordinate<'voxel'>(shape)
    // Rescaled values are computed as nibabel does, in 64-bit floats.
    this.dtype = rescale === undefined ? dtype : 'float64'
    this.chunkShape = coordinate<'voxel'>(slabShape(shape, strides, BYTES_PER_ELEMENT[dtype]))
    this.order = strides.every((stride, axis) => axis === 0 || stride <= (strides[axis - 1] as number)) ? 'C' : 'F'
    this.codecs = packing === 'none' ? [] : ['gzip']
    this.fillValue = this.dtype === 'int64' || this.dtype === 'uint64' ? 0n : 0
    this.axes = layout.axes
    this.attributes = layout.attributes
    this.#layout = layout
    this.#voxels = voxels
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#assertOpen()
    const inside = partInside(this, box, into)
    if (isEmptyRoi(inside)) return
    const { rescale, dtype, strides } = this.#layout
    const first = offsetOf(inside.offset, strides)
    await this.#voxels.prepare(first, first + spanOf(inside.shape, strides, BYTES_PER_ELEMENT[dtype]))
    if (rescale === undefined) return this.#readInto(inside, box, into, signal)
    const stored = typedArray(dtype, productOf(inside.shape))
    await this.#readInto(inside, inside, stored, signal)
    const values = new Float64Array(stored.length)
    for (let i = 0; i < stored.length; i++) values[i] = Number(stored[i]) * rescale.slope + rescale.intercept
    place(values, inside, into, box)
  }

  async writeVoxels(): Promise<void> {
    throw onlyRead(this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    this.#voxels[Symbol.dispose]()
  }

  /** @param inside the part of `box`, whose memory is `into`, that is in the array */
  async #readInto(
    inside: Roi<'voxel'>,
    box: Roi<'voxel'>,
    into: TypedArray,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { strides, dtype } = this.#layout
    const size = BYTES_PER_ELEMENT[dtype]
    const target = bytesOf(into)
    const targetStrides = rowMajorStrides(box.shape, size)
    let memory = new Uint8Array(0)
    let isFirst = true
    for (const parts of batchesOf(partsOf(inside, strides, size), (part) => spanOf(part.shape, strides, size))) {
      if (!isFirst) await setImmediate()
      isFirst = false
      signal?.throwIfAborted()
      this.#assertOpen()
      const spans = parts.map((part) => ({
        start: offsetOf(part.offset, strides),
        length: spanOf(part.shape, strides, size),
      }))
      using _held = await this.#voxels.load(spans, signal)
      for (const [number, part] of parts.entries()) {
        const { start, length } = spans[number] as ByteRange
        const at = offsetOf(subtractCoordinates(part.offset, box.offset), targetStrides)
        // Voxels that lie in the file as in memory are read to where they belong.
        if (isDense(part.shape, strides, size) && isDense(part.shape, targetStrides, size)) {
          const there = target.subarray(at, at + length)
          this.#voxels.read(there, start)
          if (this.#layout.bigEndian) swapBytes(there, size)
          continue
        }
        if (memory.length < length) memory = new Uint8Array(length)
        const span = memory.subarray(0, length)
        this.#voxels.read(span, start)
        if (this.#layout.bigEndian) swapBytes(span, size)
        copyBox(
          part.shape,
          size,
          { bytes: span, start: 0, strides },
          { bytes: target, start: at, strides: targetStrides },
        )
      }
    }
    if (this.dtype === 'bool') onlyBools(target)
  }

  #assertOpen(): void {
    if (this.#closed) throw new InfrastructureError('IO_ERROR', `"${this.path}" was closed; open it again to read.`)
  }
}

/** Bytes from the first byte of a box to its last. */
const spanOf = (shape: readonly number[], strides: readonly number[], size: number): number =>
  shape.reduce((bytes, length, axis) => bytes + (length - 1) * (strides[axis] as number), size)

/** Whether the voxels of a box lie one behind the other, the last axis fastest. */
function isDense(shape: readonly number[], strides: readonly number[], size: number): boolean {
  let step = size
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false
    step *= shape[axis] as number
  }
  return true
}

/** Parts that are fetched together, one after the other; a part that is larger is fetched by itself. */
function* batchesOf<T>(parts: Iterable<T>, bytesOf: (part: T) => number): Generator<T[]> {
  let batch: T[] = []
  let bytes = 0
  for (const part of parts) {
    batch.push(part)
    bytes += bytesOf(part)
    if (bytes < SPAN_BYTES) continue
    yield batch
    batch = []
    bytes = 0
  }
  if (batch.length > 0) yield batch
}

/** Divides a box into parts, in the order in which they are stored, each of which is worth reading at once. */
function* partsOf(box: Roi<'voxel'>, strides: readonly number[], size: number): Generator<Roi<'voxel'>> {
  const span = spanOf(box.shape, strides, size)
  const isDense = productOf(box.shape) * size >= span * LEAST_SHARE
  if (span <= SHORT_SPAN_BYTES || (span <= SPAN_BYTES && isDense)) {
    yield box
    return
  }
  const axis = box.shape.reduce(
    (slowest, length, i) =>
      length > 1 && (slowest < 0 || (strides[i] as number) > (strides[slowest] as number)) ? i : slowest,
    -1,
  )
  const half = Math.ceil((box.shape[axis] as number) / 2)
  const cut = (start: number, length: number): Roi<'voxel'> =>
    roi(
      box.offset.map((offset, i) => (i === axis ? offset + start : offset)),
      box.shape.map((whole, i) => (i === axis ? length : whole)),
    )
  yield* partsOf(cut(0, half), strides, size)
  yield* partsOf(cut(half, (box.shape[axis] as number) - half), strides, size)
}

function slabShape(shape: readonly number[], strides: readonly number[], size: number): number[] {
  let left = Math.max(1, Math.floor(SLAB_BYTES / size))
  const slab = [...shape]
  const fastestFirst = shape.map((_, axis) => axis).toSorted((a, b) => (strides[a] as number) - (strides[b] as number))
  for (const axis of fastestFirst) {
    slab[axis] = Math.max(1, Math.min(shape[axis] as number, left))
    left = Math.max(1, Math.floor(left / (shape[axis] as number)))
  }
  return slab
}

/** Copies a box into the memory of a larger one, C order. */
function place(values: Float64Array, part: Roi<'voxel'>, into: TypedArray, box: Roi<'voxel'>): void {
  const strides = rowMajorStrides(box.shape, 8)
  const start = offsetOf(subtractCoordinates(part.offset, box.offset), strides)
  const source = { bytes: bytesOf(values), start: 0, strides: rowMajorStrides(part.shape, 8) }
  copyBox(part.shape, 8, source, { bytes: bytesOf(into), start, strides })
}

/** Any byte but 0 is true, as in NumPy. */
function onlyBools(bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) if ((bytes[i] as number) > 1) bytes[i] = 1
}
