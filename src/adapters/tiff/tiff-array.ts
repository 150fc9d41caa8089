import { setImmediate } from 'node:timers/promises'
import { copyBox, offsetOf } from '../../core/array/box-copy.ts'
import { ChunkCache } from '../../core/array/chunk-cache.ts'
import { BYTES_PER_ELEMENT, bytesOf, type DType, isBigDType, type TypedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { InfrastructureError } from '../../core/errors.ts'
import { type Coordinate, coordinate } from '../../core/geometry/coordinate.ts'
import { isEmptyRoi, type Roi } from '../../core/geometry/roi.ts'
import type { ByteRange } from '../../ports/byte-file.ts'
import type { ArrayAxis, ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'
import { CodecError } from '../codecs/codec.ts'
import { onlyRead, partInside } from '../files/reading.ts'
import { swapBytes } from '../files/swap-bytes.ts'
import { withBytes } from '../ranges/absent-bytes.ts'
import { blankPixels } from './blank-part.ts'
import { COMPRESSIONS } from './compressions.ts'
import { assertDecodable, decodePart } from './decode-part.ts'
import { type Directory, TAG } from './directories.ts'
import { assertAlike, type ImageLayout, layoutOf } from './image.ts'
import type { Series } from './series.ts'
import { damaged, type TiffFile } from './tiff-file.ts'

const CACHE_BYTES = 64 * 2 ** 20

/** How the images that were read last are stored. */
const KEPT_IMAGES = 64

/** Bytes of parts that are fetched together, about. */
const FETCHED_BYTES = 16 * 2 ** 20

/** A tile or strip, and where it meets a box. */
interface MetPart {
  readonly index: number
  /** The sample that it has, if samples are stored apart. */
  readonly group: number
  /** Where it meets the box first, in the image and in the part. */
  readonly y: number
  readonly x: number
  readonly row: number
  readonly column: number
  /** Rows and columns. */
  readonly shape: readonly [number, number]
}

/** Whether any row of a part can be read without the others. */
const isStoredPlain = ({ compression, predictor }: ImageLayout): boolean => compression === 1 && predictor === 1

/** How an image is stored, and where its parts are. */
interface StoredImage {
  readonly layout: ImageLayout
  readonly offsets: readonly number[]
  readonly lengths: readonly number[]
  /** What GDAL says that pixels are where there are none. */
  readonly noData: string
}

/** A TIFF file as one array, for reading: channel, time, z, y, x, as far as it has them. */
export class TiffArray implements ChunkedArray {
  readonly path: string
  readonly format = 'tiff'
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly order = 'C'
  readonly codecs: readonly string[]
  readonly fillValue: number | bigint
  readonly axes: readonly ArrayAxis[]
  readonly attributes = {}
  readonly writable = false
  readonly #file: TiffFile
  readonly #images: readonly Directory[]
  readonly #series: Series
  readonly #cache = new ChunkCache(CACHE_BYTES)
  readonly #stored = new Map<number, StoredImage>()
  /** Whether samples of a pixel are an axis, before all others. */
  readonly #hasSamples: boolean

  constructor(path: string, file: TiffFile, images: readonly Directory[], series: Series) {
    const { layout, planes, plane } = series
    const { samples, height, width, dtype, partHeight, partWidth, compression, predictor, together } = layout
    this.path = path
    this.#file = file
    this.#images = images
    this.#series = series
    this.#hasSamples = samples > 1
    const isPerSample = this.#hasSamples && !together
    this.shape = coordinate<'voxel'>([
      ...(this.#hasSamples ? [samples] : []),
      ...planes.map(({ length }) => length),
      height,
      width,
    ])
    this.chunkShape = coordinate<'voxel'>([
      ...(this.#hasSamples ? [isPerSample ? 1 : samples] : []),
      ...planes.map(() => 1),
      Math.min(partHeight, height),
      Math.min(partWidth, width),
    ])
    this.dtype = dtype
    this.fillValue = isBigDType(dtype) ? 0n : 0
    this.codecs = compression === 1 ? [] : [`${COMPRESSIONS[compression]?.name}${predictor > 1 ? '+predictor' : ''}`]
    const samplesAxis: ArrayAxis = { name: planes.some(({ axis }) => axis.name === 'c') ? 's' : 'c', type: 'channel' }
    this.axes = [...(this.#hasSamples ? [samplesAxis] : []), ...planes.map(({ axis }) => axis), ...plane]
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    const inside = partInside(this, box, into)
    if (isEmptyRoi(inside)) return
    const places = placesIn(inside.offset.slice(this.#planesFrom, -2), inside.shape.slice(this.#planesFrom, -2))
    if (this.#file.isRemote) return this.#readRemote([...places], inside, box, into, signal)
    let isFirst = true
    for (const place of places) {
      if (!isFirst) await setImmediate()
      isFirst = false
      signal?.throwIfAborted()
      this.#readPlane(place, inside, box, bytesOf(into))
    }
  }

  /** Fetches the parts of many images at once. */
  async #readRemote(
    places: readonly (readonly number[])[],
    inside: Roi<'voxel'>,
    box: Roi<'voxel'>,
    into: TypedArray,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const ranges: ByteRange[] = []
    let [first, bytes] = [0, 0]
    for (const [number, place] of places.entries()) {
      for (const each of await withBytes(() => this.#wanted(place, inside), signal)) {
        ranges.push(each)
        bytes += each.length
      }
      if (bytes < FETCHED_BYTES && number < places.length - 1) continue
      using _held = await this.#file.load(ranges.splice(0), signal)
      for (const each of places.slice(first, number + 1)) {
        await withBytes(() => this.#readPlane(each, inside, box, bytesOf(into)), signal)
      }
      ;[first, bytes] = [number + 1, 0]
    }
  }

  /** A damaged image is reported when it is read. */
  #wanted(place: readonly number[], inside: Roi<'voxel'>): ByteRange[] {
    try {
      return this.#rangesOf(place, inside)
    } catch (error) {
      if (error instanceof CodecError) return []
      throw error
    }
  }

  async writeVoxels(): Promise<void> {
    throw onlyRead(this.path)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cache.clear()
    this.#file[Symbol.dispose]()
  }

  get #planesFrom(): number {
    return this.#hasSamples ? 1 : 0
  }

  /** Copies the parts of one image that meet `inside` into the memory of `box`. */
  #readPlane(place: readonly number[], inside: Roi<'voxel'>, box: Roi<'voxel'>, target: Uint8Array): void {
    const image = this.#series.imageAt(place)
    const { layout } = this.#storedImage(image)
    const { together, samples } = layout
    const [firstSample, sampleCount] = this.#samplesIn(inside)
    const isMixed = together && samples > 1
    for (const { index, group, y, x, shape, row, column } of this.#partsIn(layout, inside)) {
      const part = this.#part(image, index, group, [row, shape[0]])
      const inPart: Roi<'voxel'> = {
        offset: [isMixed ? firstSample : 0, row - part.firstRow, column],
        shape: [isMixed ? sampleCount : 1, ...shape],
      }
      const at = [...(this.#hasSamples ? [together ? firstSample : group] : []), ...place, y, x]
      this.#copy(part.bytes, layout, inPart, at, box, target)
    }
  }

  /** The first sample of a box, and how many it has. */
  #samplesIn({ offset, shape }: Roi<'voxel'>): readonly [number, number] {
    return this.#hasSamples ? [offset[0] as number, shape[0] as number] : [0, 1]
  }

  /** The tiles or strips of an image that meet a box, and where. */
  *#partsIn(layout: ImageLayout, inside: Roi<'voxel'>): Generator<MetPart> {
    const { partHeight, partWidth, together, width } = layout
    const [y0, x0] = inside.offset.slice(-2) as [number, number]
    const [height, columns] = inside.shape.slice(-2) as [number, number]
    const across = Math.ceil(width / partWidth)
    const [firstSample, sampleCount] = this.#samplesIn(inside)
    const groups = together ? [0] : range(firstSample, firstSample + sampleCount - 1)
    for (const down of range(Math.floor(y0 / partHeight), Math.floor((y0 + height - 1) / partHeight))) {
      for (const right of range(Math.floor(x0 / partWidth), Math.floor((x0 + columns - 1) / partWidth))) {
        const [y, x] = [Math.max(y0, down * partHeight), Math.max(x0, right * partWidth)]
        const shape = [
          Math.min(y0 + height, (down + 1) * partHeight, layout.height) - y,
          Math.min(x0 + columns, (right + 1) * partWidth) - x,
        ] as const
        const place = {
          index: down * across + right,
          y,
          x,
          shape,
          row: y - down * partHeight,
          column: x - right * partWidth,
        }
        for (const group of groups) yield { ...place, group }
      }
    }
  }

  /** What has to be read of an image for a box. */
  #rangesOf(place: readonly number[], inside: Roi<'voxel'>): ByteRange[] {
    const image = this.#series.imageAt(place)
    const { layout } = this.#storedImage(image)
    const ranges: ByteRange[] = []
    for (const { index, group, row, shape } of this.#partsIn(layout, inside)) {
      if (this.#cache.has([image, group, index])) continue
      const place = this.#place(image, index, group)
      if (place === undefined) continue
      const [start, length] = place
      if (isStoredPlain(layout)) {
        const rowBytes = this.#rowBytes(layout)
        ranges.push({ start: start + row * rowBytes, length: shape[0] * rowBytes })
      } else {
        assertDecodable(length, layout, rowsOf(layout, index))
        ranges.push({ start, length })
      }
    }
    for (const { start, length } of ranges) this.#file.assertHas(start, length)
    return ranges
  }

  /** Copies samples, rows and columns of a decoded part to the place `at` of the array, in the memory of `box`. */
  #copy(
    bytes: Uint8Array,
    { partWidth, samples, together }: ImageLayout,
    inPart: Roi<'voxel'>,
    at: readonly number[],
    box: Roi<'voxel'>,
    target: Uint8Array,
  ): void {
    const size = BYTES_PER_ELEMENT[this.dtype]
    const perPixel = size * (together ? samples : 1)
    const strides = [size, partWidth * perPixel, perPixel]
    const all = rowMajorStrides(box.shape, size)
    const start = offsetOf(
      at.map((position, axis) => position - (box.offset[axis] as number)),
      all,
    )
    const targetStrides = [this.#hasSamples ? (all[0] as number) : 0, ...all.slice(-2)]
    copyBox(
      inPart.shape,
      size,
      { bytes, start: offsetOf(inPart.offset, strides), strides },
      { bytes: target, start, strides: targetStrides },
    )
  }

  /**
   * A tile or strip, decoded; of an uncompressed one, maybe only the rows that are asked for.
   * @param group the sample that it has, if samples are stored apart
   * @param rows in the part: the first and how many
   */
  #part(
    image: number,
    index: number,
    group: number,
    rows: readonly [number, number],
  ): { bytes: Uint8Array; firstRow: number } {
    const { layout, noData } = this.#storedImage(image)
    const place = this.#place(image, index, group)
    if (place === undefined) {
      return { bytes: blankPixels(rows[1] * this.#rowBytes(layout), this.dtype, noData), firstRow: rows[0] }
    }
    const [start, length] = place
    if (isStoredPlain(layout)) return { bytes: this.#rows(image, start, rows), firstRow: rows[0] }
    const key = [image, group, index]
    const kept = this.#cache.get(key)
    if (kept !== undefined) return { bytes: kept, firstRow: 0 }
    const count = rowsOf(layout, index)
    let bytes: Uint8Array
    try {
      assertDecodable(length, layout, count)
      bytes = decodePart(this.#file.bytes(start, length), layout, count, this.#file.bigEndian)
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `${this.path} is corrupt (image ${image}, ${layout.isTiled ? 'tile' : 'strip'} ${index}): ${error.message}; restore it from a copy.`,
        { cause: error },
      )
    }
    this.#cache.set(key, bytes)
    return { bytes, firstRow: 0 }
  }

  /** @param start of the part */
  #rows(image: number, start: number, [first, count]: readonly [number, number]): Uint8Array {
    const rowBytes = this.#rowBytes(this.#storedImage(image).layout)
    const bytes = this.#file.bytes(start + first * rowBytes, count * rowBytes)
    // A view of a typed array needs an aligned start, which `bytes` has; the rows are ours to change.
    if (this.#file.bigEndian) swapBytes(bytes, BYTES_PER_ELEMENT[this.dtype])
    return bytes
  }

  #rowBytes({ partWidth, samples, together }: ImageLayout): number {
    return partWidth * BYTES_PER_ELEMENT[this.dtype] * (together ? samples : 1)
  }

  /** The first byte of a part and its length; undefined for one that was never written, in a file that may leave parts out. */
  #place(image: number, index: number, group: number): readonly [number, number] | undefined {
    const { inOnePiece, bytesPerImage } = this.#series
    const { layout, offsets, lengths } = this.#storedImage(image)
    const perSample = Math.ceil(layout.width / layout.partWidth) * Math.ceil(layout.height / layout.partHeight)
    const position = layout.together ? index : group * perSample + index
    const [start, length] = [offsets[position], lengths[position]]
    // Old writers leave the lengths of uncompressed strips out.
    if (length === 0 && (start === 0 || layout.compression !== 1)) return undefined
    // Byte 0 is that of the header.
    if (start === undefined || length === undefined || start === 0) {
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `${this.path} is corrupt: image ${image} has no part ${position}; restore it from a copy.`,
      )
    }
    if (!inOnePiece) return [start, length]
    return [start + image * bytesPerImage, length]
  }

  /** Images of one stack may be stored in different ways, as long as their pixels are alike. */
  #storedImage(number: number): StoredImage {
    const image = this.#series.inOnePiece ? 0 : number
    const kept = this.#stored.get(image)
    if (kept !== undefined) return kept
    const directory = this.#images[image] as Directory
    const { width, height } = this.#series.layout
    if (directory.number(TAG.width) !== width || directory.number(TAG.height) !== height) {
      throw damaged(this.path, `has an image ${image} of another size than the first`)
    }
    const layout = layoutOf(this.#file, directory)
    assertAlike(this.path, this.#series.layout, layout)
    const stored = {
      layout,
      offsets: directory.numbers(layout.isTiled ? TAG.tileOffsets : TAG.stripOffsets),
      lengths: directory.numbers(layout.isTiled ? TAG.tileByteCounts : TAG.stripByteCounts),
      noData: directory.text(TAG.noData),
    }
    if (this.#stored.size >= KEPT_IMAGES) this.#stored.delete(this.#stored.keys().next().value as number)
    this.#stored.set(image, stored)
    return stored
  }
}

/** How many rows a part has: tiles are complete, and the last strip ends with the image. */
const rowsOf = ({ isTiled, partHeight, height }: ImageLayout, index: number): number =>
  isTiled ? partHeight : Math.min(partHeight, height - index * partHeight)

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

/** Every place in a box, the last axis fastest. */
function* placesIn(offset: readonly number[], shape: readonly number[]): Generator<readonly number[]> {
  const [first, ...rest] = offset
  const [length, ...others] = shape
  if (first === undefined || length === undefined) {
    yield []
    return
  }
  for (let i = first; i < first + length; i++) for (const place of placesIn(rest, others)) yield [i, ...place]
}
