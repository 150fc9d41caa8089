import { copyBox, offsetOf } from '../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, bytesOf, type TypedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { coordinate, subtractCoordinates } from '../../core/geometry/coordinate.ts'
import { isEmptyRoi, type Roi } from '../../core/geometry/roi.ts'
import type { ArrayAxis, ArrayFormat, ChunkedArray } from '../../ports/chunked-array.ts'
import type { OpenFileOptions } from '../files/open-file.ts'
import { onlyRead, partInside } from '../files/reading.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
import { type PngHeader, readHeader, readPixels } from './png-file.ts'

export { isPng } from './png-file.ts'

/** Names of PNG images. */
export const PNG_SUFFIX = /\.png$/i

/** PNG images of 8 or 16 bits, for reading: y and x, after the samples of a pixel if it has several. */
export const pngFormat = (): ArrayFormat =>
  singleArrayFormat('png', async (path) => openPng(path), { localOnly: 'PNG images' })

/** @throws what {@link readHeader} throws, and what a check throws, then or when the pixels are read */
export const openPng = (path: string, options: OpenFileOptions = {}): ChunkedArray =>
  new PngArray(path, readHeader(path, options), options)

/** An image, which is decoded as a whole the first time that it is read. */
class PngArray implements ChunkedArray {
  readonly path: string
  readonly format = 'png'
  readonly shape
  readonly dtype
  readonly chunkShape
  readonly order = 'C'
  readonly codecs = ['deflate']
  readonly fillValue = 0
  readonly axes: readonly ArrayAxis[]
  readonly attributes = {}
  readonly writable = false
  readonly #header: PngHeader
  readonly #options: OpenFileOptions
  #pixels: Uint8Array | undefined

  constructor(path: string, header: PngHeader, options: OpenFileOptions) {
    const { samples, height, width, dtype } = header
    const hasSamples = samples > 1
    this.path = path
    this.shape = coordinate<'voxel'>([...(hasSamples ? [samples] : []), height, width])
    this.chunkShape = this.shape
    this.dtype = dtype
    this.axes = [
      ...(hasSamples ? [{ name: 'c', type: 'channel' } as const] : []),
      { name: 'y', type: 'space' },
      { name: 'x', type: 'space' },
    ]
    this.#header = header
    this.#options = options
  }

  async readVoxels(
    box: Roi<'voxel'>,
    into: TypedArray,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    const inside = partInside(this, box, into)
    if (isEmptyRoi(inside)) return
    this.#pixels ??= readPixels(this.path, this.#header, this.#options)
    const size = BYTES_PER_ELEMENT[this.dtype]
    const { width, samples } = this.#header
    const stored = [...(samples > 1 ? [size] : []), width * samples * size, samples * size]
    const strides = rowMajorStrides(box.shape, size)
    copyBox(
      inside.shape,
      size,
      { bytes: this.#pixels, start: offsetOf(inside.offset, stored), strides: stored },
      { bytes: bytesOf(into), start: offsetOf(subtractCoordinates(inside.offset, box.offset), strides), strides },
    )
  }

  async writeVoxels(): Promise<void> {
    throw onlyRead(this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pixels = undefined
  }
}
