import { copyBox, offsetOf } from '../../core/array/box-copy.ts'
import {
  BYTES_PER_ELEMENT,
  bytesOf,
  type DType,
  type Scalar,
  type TypedArray,
  typedArray,
} from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { InfrastructureError } from '../../core/errors.ts'
import { type Coordinate, coordinate, productOf, subtractCoordinates } from '../../core/geometry/coordinate.ts'
import { isEmptyRoi, type Roi, roi } from '../../core/geometry/roi.ts'
import type { ArrayAxis, ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'
import { onlyRead, partInside } from '../files/reading.ts'

/** Images that stay open, for the next block: a slice is often decoded as a whole. */
const MOST_OPEN = 96
const OPEN_BYTES = 64 * 2 ** 20

/** Slices, one file each, as one array, for reading: channels, z, y, x. */
export class StackArray implements ChunkedArray {
  readonly path: string
  readonly format = 'stack'
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly order = 'C'
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  readonly attributes = {}
  readonly writable = false
  readonly #openImage: (index: number) => Promise<ChunkedArray>
  /** Open images, the one that was used last at the end. */
  readonly #images = new Map<number, OpenImage>()
  /** The axes of an image before its y and x: they come before z. */
  readonly #leading: number
  readonly #mostOpen: number
  #closed = false

  /** @param first the first slice, which this array closes */
  constructor(path: string, count: number, first: ChunkedArray, open: (index: number) => Promise<ChunkedArray>) {
    const leading = first.shape.length - 2
    const withDepth = (lengths: readonly number[], depth: number) =>
      coordinate<'voxel'>([...lengths.slice(0, leading), depth, ...lengths.slice(leading)])
    this.path = path
    this.shape = withDepth(first.shape, count)
    this.chunkShape = withDepth(first.chunkShape, 1)
    this.dtype = first.dtype
    this.codecs = first.codecs
    this.fillValue = first.fillValue
    this.axes = [...first.axes.slice(0, leading), { name: 'z', type: 'space' }, ...first.axes.slice(leading)]
    this.#leading = leading
    this.#openImage = open
    this.#images.set(0, { image: Promise.resolve(first), users: 0 })
    const bytes = productOf(first.shape) * BYTES_PER_ELEMENT[first.dtype]
    this.#mostOpen = Math.max(1, Math.min(MOST_OPEN, Math.floor(OPEN_BYTES / bytes)))
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const inside = partInside(this, box, into)
    if (isEmptyRoi(inside)) return
    const z = this.#leading
    const first = inside.offset[z] as number
    const slice: Roi<'voxel'> = roi(inside.offset.toSpliced(z, 1), inside.shape.toSpliced(z, 1))
    const voxels = typedArray(this.dtype, productOf(slice.shape))
    const size = BYTES_PER_ELEMENT[this.dtype]
    const strides = rowMajorStrides(box.shape, size)
    const source = { bytes: bytesOf(voxels), start: 0, strides: rowMajorStrides(slice.shape, size) }
    for (let index = first; index < first + (inside.shape[z] as number); index++) {
      signal?.throwIfAborted()
      await this.#use(index, (image) => image.readVoxels(slice, voxels))
      const start = offsetOf(subtractCoordinates(inside.offset.with(z, index), box.offset), strides)
      copyBox(slice.shape, size, source, { bytes: bytesOf(into), start, strides: strides.toSpliced(z, 1) })
    }
  }

  async writeVoxels(): Promise<void> {
    throw onlyRead(this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const images = [...this.#images.values()]
    this.#images.clear()
    for (const { image } of images) await image.then((open) => open[Symbol.asyncDispose]()).catch(() => {})
  }

  async #use(index: number, action: (image: ChunkedArray) => Promise<void>): Promise<void> {
    if (this.#closed) throw new InfrastructureError('IO_ERROR', `"${this.path}" was closed; open it again to read.`)
    const entry = this.#images.get(index) ?? { image: this.#openImage(index), users: 0 }
    this.#images.delete(index)
    this.#images.set(index, entry)
    entry.users++
    try {
      await action(await entry.image)
    } catch (error) {
      // A later try may succeed.
      if (this.#images.get(index) === entry) this.#images.delete(index)
      throw error
    } finally {
      entry.users--
      await this.#closeOldest()
    }
  }

  async #closeOldest(): Promise<void> {
    for (const [index, { image, users }] of this.#images) {
      if (this.#images.size <= this.#mostOpen) return
      if (users > 0) continue
      this.#images.delete(index)
      await image.then((open) => open[Symbol.asyncDispose]()).catch(() => {})
    }
  }
}

interface OpenImage {
  readonly image: Promise<ChunkedArray>
  users: number
}
