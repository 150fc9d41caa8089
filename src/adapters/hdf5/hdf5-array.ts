import { setImmediate } from 'node:timers/promises'
import { assertVoxels } from '../../core/array/assert-voxels.ts'
import { copyBox, offsetOf, type StridedBytes } from '../../core/array/box-copy.ts'
import { ChunkCache } from '../../core/array/chunk-cache.ts'
import { BYTES_PER_ELEMENT, bytesOf, type DType, type Scalar, type TypedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import {
  assertSameRank,
  type Coordinate,
  countElements,
  showCoordinate,
  subtractCoordinates,
} from '../../core/geometry/coordinate.ts'
import { equalRois, intersectRoi, isEmptyRoi, type Roi, roi, showSlice } from '../../core/geometry/roi.ts'
import type { ArrayAxis, ArrayDescription, ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'
import { UnreadError } from '../codecs/codec.ts'
import { AbsentBytes, withBytes } from '../ranges/absent-bytes.ts'
import { chunksMeeting, cutFace, indicesOf, splitBox, voxelsOfChunks } from './chunk-boxes.ts'
import type { RawChunk, RawChunks } from './chunks/raw-chunks.ts'
import { REWRITE_ONCE } from './filters.ts'
import { failed, type Hdf5File } from './hdf5-file.ts'
import { Hdf5Failure, scratchMemory } from './library.ts'
import { type OnePiece, readOnePiece } from './ranges/one-piece.ts'
import type { StoredPlain } from './ranges/stored-plain.ts'

/** Approximate limit of one HDF5 read: HDF5's heap never shrinks, and the signal is checked between reads. */
const PIECE_BYTES = 32 * 2 ** 20

/** HDF5 starts a piece again whenever it lacks bytes of it. */
const REMOTE_PIECE_BYTES = 4 * 2 ** 20
/** Bytes that are fetched at once, about, and at most for one row. */
const FETCHED_BYTES = 64 * 2 ** 20
const ROW_FETCH_BYTES = 64 * 2 ** 10

/** What the format has read about a dataset. */
export interface Hdf5Dataset {
  readonly description: ArrayDescription
  /** The file that stores it, with all links resolved. */
  readonly file: Hdf5File
  readonly inner: string
  /** Whether reading any part of a chunk requires decoding all of it. */
  readonly encoded: boolean
  /** Its chunks past the library, which reads all that they don't; undefined if it has none of that kind. */
  readonly raw: RawChunks | undefined
  /** Where it is stored, if the library alone reads it; undefined if that is not known. */
  readonly stored: StoredPlain | undefined
  /** Where it lies in its file, if it can be read past the library, which reads what this can't. */
  readonly onePiece: OnePiece | undefined
  /** Upper limit of decoded chunks to keep, in bytes. */
  readonly cacheBytes: number
  /** Files behind addresses that HDF5 reads for it: open as long as this dataset is. */
  readonly sources: readonly Hdf5File[]
}

/** A dataset of an HDF5 file, for reading. It counts as a user of its file until it is disposed. */
export class Hdf5Array implements ChunkedArray {
  readonly path: string
  readonly format = 'hdf5'
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly order = 'C'
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  readonly writable = false
  readonly #dataset: Hdf5Dataset
  readonly #cache: ChunkCache
  #closed = false

  constructor(dataset: Hdf5Dataset) {
    const { description } = dataset
    this.path = description.path
    this.shape = description.shape
    this.dtype = description.dtype
    this.chunkShape = description.chunkShape
    this.codecs = description.codecs
    this.fillValue = description.fillValue
    this.axes = description.axes
    this.attributes = description.attributes
    this.warnings = description.warnings ?? []
    this.#dataset = dataset
    this.#cache = new ChunkCache(dataset.cacheBytes)
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, options: TransferOptions = {}): Promise<void> {
    this.#assertReadable(box, into)
    const target: Target = { bytes: bytesOf(into), box }
    const wanted = intersectRoi(box, this.#extent())
    if (!equalRois(wanted, box)) fill(into, this.fillValue)
    if (isEmptyRoi(wanted)) return
    // HDF5 always decodes complete chunks: read all of each, and cache what neighbouring blocks will need.
    const region = this.#dataset.encoded ? this.#growToChunks(wanted) : wanted
    const keep = !equalRois(region, wanted) && this.#bytesIn(region) <= this.#cache.budget
    let first = true
    const { raw, file } = this.#dataset
    const pieceBytes = file.bytes.isRemote && raw === undefined ? this.#remotePieceBytes(region) : PIECE_BYTES
    for (const piece of splitBox(region, this.chunkShape, pieceBytes / BYTES_PER_ELEMENT[this.dtype])) {
      if (!first) await setImmediate()
      options.signal?.throwIfAborted()
      this.#assertOpen()
      using _fetched = await this.#fetch(piece, options.signal)
      await withBytes(() => {
        this.#assertOpen()
        if (raw === undefined) this.#readPiece(piece, wanted, target, keep)
        else this.#readRawPiece(raw, piece, wanted, target, keep)
      }, options.signal)
      first = false
    }
  }

  /** So many that what is fetched with short rows of a dataset in one piece fits in memory. */
  #remotePieceBytes(region: Roi<'voxel'>): number {
    const size = BYTES_PER_ELEMENT[this.dtype]
    const fetchedPerRow = Math.max(1, Math.min(ROW_FETCH_BYTES, (this.shape.at(-1) ?? 1) * size))
    return Math.min(REMOTE_PIECE_BYTES, (FETCHED_BYTES * (region.shape.at(-1) ?? 1) * size) / fetchedPerRow)
  }

  /** Fetches the stored bytes of a box of a file behind an address, as far as their places are known, all at once. */
  async #fetch(piece: Roi<'voxel'>, signal: AbortSignal | undefined): Promise<Disposable | undefined> {
    const { file, stored, raw } = this.#dataset
    if (!file.bytes.isRemote) return undefined
    const missing = [...indicesOf(chunksMeeting(piece, this.chunkShape))].filter((index) => !this.#cache.has(index))
    const ranges = await withBytes(() => raw?.rangesOf(missing) ?? stored?.rangesOf(piece, missing) ?? [], signal)
    return file.bytes.load(ranges, signal)
  }

  async writeVoxels(): Promise<void> {
    throw new ConfigError(
      'READ_ONLY',
      `"${this.path}" is HDF5, which is read-only; Bellis writes Zarr, N5 and precomputed.`,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#cache.clear()
    for (const file of [this.#dataset.file, ...this.#dataset.sources]) file.release()
  }

  #readPiece(piece: Roi<'voxel'>, wanted: Roi<'voxel'>, target: Target, keep: boolean): void {
    const { onePiece } = this.#dataset
    if (onePiece !== undefined && readOnePiece(onePiece, piece, target)) return
    const missing = this.#dataset.encoded ? this.#takeFromCache(piece, wanted, target) : piece
    if (isEmptyRoi(missing)) return
    const bytes = this.#readBox(missing)
    this.#copy({ bytes, box: missing }, intersectRoi(missing, wanted), target)
    if (!keep) return
    for (const index of indicesOf(chunksMeeting(missing, this.chunkShape))) {
      const chunk = this.#chunkBox(index)
      const copy = new Uint8Array(this.#bytesIn(chunk))
      this.#copy({ bytes, box: missing }, chunk, { bytes: copy, box: chunk })
      this.#cache.set(index, copy)
    }
  }

  /** Reads chunk by chunk past the library, and with it what is left. */
  #readRawPiece(raw: RawChunks, piece: Roi<'voxel'>, wanted: Roi<'voxel'>, target: Target, keep: boolean): void {
    const left: number[][] = []
    const chunks = [...indicesOf(chunksMeeting(piece, this.chunkShape))]
    for (const index of chunks) {
      if (this.#cache.has(index)) {
        this.#copyCached(index, wanted, target)
        continue
      }
      const chunk = this.#chunkBox(index)
      const part = intersectRoi(chunk, wanted)
      const isKept = keep && !equalRois(part, chunk)
      const bytes = this.#readRaw(raw, index, isKept)
      if (bytes === 'unwritten' || bytes === 'unknown') {
        left.push(index)
        continue
      }
      const whole = { offset: index.map((at, axis) => at * this.chunkShape[axis]!), shape: this.chunkShape }
      this.#copy({ bytes, box: whole }, part, target)
      if (isKept) this.#keep(index, bytes, whole, chunk)
    }
    if (left.length === chunks.length) this.#readPiece(piece, wanted, target, keep)
    else for (const index of left) this.#readPiece(this.#chunkBox(index), wanted, target, keep)
  }

  /** @throws InfrastructureError `CORRUPT_DATA` where the library could not say what is wrong */
  #readRaw(raw: RawChunks, index: readonly number[], isKept: boolean): RawChunk {
    try {
      return raw.read(index, isKept)
    } catch (error) {
      if (error instanceof AbsentBytes || error instanceof InfrastructureError) throw error
      if ((error as NodeJS.ErrnoException).syscall !== undefined) throw failedRead(this.path, error)
      if (error instanceof UnreadError) {
        throw new ConfigError(
          'UNSUPPORTED_CODEC',
          `"${this.path}" has a chunk that Bellis can't decode ${showCoordinate(index)}: ${error.message}. ${REWRITE_ONCE}`,
          { cause: error },
        )
      }
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `"${this.path}" is corrupt (chunk ${showCoordinate(index)}): ${messageOf(error)}; copy the file again.`,
        { cause: error },
      )
    }
  }

  #keep(index: readonly number[], bytes: Uint8Array, whole: Roi<'voxel'>, chunk: Roi<'voxel'>): void {
    if (equalRois(whole, chunk)) {
      this.#cache.set(index, bytes)
      return
    }
    const copy = new Uint8Array(this.#bytesIn(chunk))
    this.#copy({ bytes, box: whole }, chunk, { bytes: copy, box: chunk })
    this.#cache.set(index, copy)
  }

  /** Copies cached chunks at the faces of a box of chunks. @returns the remaining box, still to be read */
  #takeFromCache(piece: Roi<'voxel'>, wanted: Roi<'voxel'>, target: Target): Roi<'voxel'> {
    let chunks = chunksMeeting(piece, this.chunkShape)
    for (let axis = 0; axis < chunks.shape.length; axis++) {
      for (const end of ['low', 'high'] as const) {
        while (!isEmptyRoi(chunks)) {
          const { face, rest } = cutFace(chunks, axis, end)
          const indices = [...indicesOf(face)]
          if (!indices.every((index) => this.#cache.has(index))) break
          for (const index of indices) this.#copyCached(index, wanted, target)
          chunks = rest
        }
      }
    }
    return intersectRoi(voxelsOfChunks(chunks, this.chunkShape), piece)
  }

  #copyCached(index: readonly number[], wanted: Roi<'voxel'>, target: Target): void {
    const box = this.#chunkBox(index)
    this.#copy({ bytes: this.#cache.get(index)!, box }, intersectRoi(box, wanted), target)
  }

  /** Reads a box inside the dataset. @returns a view of HDF5's heap, valid until its next call */
  #readBox(box: Roi<'voxel'>): Uint8Array {
    const { file, inner } = this.#dataset
    const length = this.#bytesIn(box)
    const pointer = scratchMemory(file.library, length)
    // HDF5 leaves memory as it is where chunks were never written and have no fill value; h5py gives zeros there.
    file.library.HEAPU8.fill(0, pointer, pointer + length)
    const read = (part: Roi<'voxel'>): void => {
      const [count, offset] = [part.shape.map(BigInt), part.offset.map(BigInt)]
      const strides = count.map(() => 1n)
      file.call((hdf5, id) => hdf5.get_dataset_data(id, `/${inner}`, count, offset, strides, BigInt(pointer)))
    }
    try {
      read(box)
    } catch (error) {
      throw this.#describeFailure(box, error, read)
    }
    return file.library.HEAPU8.subarray(pointer, pointer + length)
  }

  /** Finds the first chunk that can't be read, since HDF5 doesn't report it. */
  #describeFailure(box: Roi<'voxel'>, error: unknown, read: (part: Roi<'voxel'>) => void): Error {
    if (!(error instanceof Hdf5Failure)) return error as Error
    for (const index of indicesOf(chunksMeeting(box, this.chunkShape))) {
      const chunk = intersectRoi(this.#chunkBox(index), box)
      try {
        read(chunk)
      } catch (reason) {
        if (!(reason instanceof Hdf5Failure)) break
        return failed(this.path, `read at ${showSlice(chunk)} (voxels)`, reason)
      }
    }
    return failed(this.path, `read at ${showSlice(box)} (voxels)`, error)
  }

  #copy(from: { readonly bytes: Uint8Array; readonly box: Roi<'voxel'> }, box: Roi<'voxel'>, to: Target): void {
    const size = BYTES_PER_ELEMENT[this.dtype]
    copyBox(box.shape, size, stridesIn(from.bytes, from.box, box, size), stridesIn(to.bytes, to.box, box, size))
  }

  #extent(): Roi<'voxel'> {
    return { offset: this.shape.map(() => 0), shape: this.shape }
  }

  #growToChunks(box: Roi<'voxel'>): Roi<'voxel'> {
    return intersectRoi(voxelsOfChunks(chunksMeeting(box, this.chunkShape), this.chunkShape), this.#extent())
  }

  #chunkBox(index: readonly number[]): Roi<'voxel'> {
    const box = roi<'voxel'>(
      index.map((i, axis) => i * this.chunkShape[axis]!),
      this.chunkShape,
    )
    return intersectRoi(box, this.#extent())
  }

  #bytesIn(box: Roi<'voxel'>): number {
    return Number(countElements(box.shape)) * BYTES_PER_ELEMENT[this.dtype]
  }

  #assertOpen(): void {
    if (this.#closed) throw new InfrastructureError('IO_ERROR', `"${this.path}" was closed; open it again to read.`)
  }

  #assertReadable(box: Roi<'voxel'>, into: TypedArray): void {
    this.#assertOpen()
    assertSameRank(this.shape, box.shape, 'shapes of an array and a box in it')
    assertVoxels(this.path, this.dtype, box.shape, into)
  }
}

const failedRead = (path: string, cause: unknown): Error =>
  new InfrastructureError('IO_ERROR', `"${path}" can't be read: ${messageOf(cause)}.`, { cause })

/** Memory for a box of the array, C order. */
interface Target {
  readonly bytes: Uint8Array
  readonly box: Roi<'voxel'>
}

/** The place of `part` in the memory of `box`. */
function stridesIn(bytes: Uint8Array, box: Roi<'voxel'>, part: Roi<'voxel'>, size: number): StridedBytes {
  const strides = rowMajorStrides(box.shape, size)
  return { bytes, start: offsetOf(subtractCoordinates(part.offset, box.offset), strides), strides }
}

function fill(into: TypedArray, value: Scalar): void {
  if (into instanceof BigInt64Array || into instanceof BigUint64Array) into.fill(BigInt(value))
  else into.fill(Number(value))
}
