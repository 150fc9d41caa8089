import type { ByteFile, ByteRange } from '../../../ports/byte-file.ts'
import { SPARE_BYTES } from '../../codecs/codec.ts'
import { encodedLimit, stepLimit } from '../../files/encoded-limit.ts'
import { swapBytes } from '../../files/swap-bytes.ts'
import { AbsentBytes } from '../../ranges/absent-bytes.ts'
import type { Hdf5Filter } from '../library.ts'
import { DamagedHeader, type HeaderMessage, type Superblock } from '../object-header.ts'
import { chunkIndex } from './chunk-index.ts'
import { type ChunkLayout, chunkLayoutOf } from './chunk-layout.ts'
import { canDecode, checkSizes, decodeFilters, needsCheck, TooLargeChunk, UndecodedChunk } from './decode-filters.ts'
import { IndexBlocks } from './index-blocks.ts'
import type { FindChunk, StoredChunk } from './stored-chunk.ts'

/** A chunk, decoded; or why there is none: it was never written, or the library has to read it. */
export type RawChunk = Uint8Array | 'unwritten' | 'unknown'

/** What is known of a dataset when its chunks are to be read. */
export interface RawChunksOptions {
  readonly file: ByteFile
  readonly superblock: Superblock
  readonly messages: readonly HeaderMessage[]
  readonly shape: readonly number[]
  readonly chunkShape: readonly number[]
  readonly elementBytes: number
  readonly bigEndian: boolean
  readonly filters: readonly Hdf5Filter[]
  /** Whether the library lacks a filter, so that nothing can be left to it but chunks that were never written. */
  readonly isOnlyReader: boolean
}

/**
 * Reads chunks from the file itself and decodes them with Node's zlib, which is several times as fast as the library in
 * WebAssembly. What is not as expected is `unknown`, so that the library reads it, or says what is wrong.
 */
export class RawChunks {
  readonly #options: RawChunksOptions
  readonly #layout: ChunkLayout
  readonly #find: FindChunk
  readonly #size: number
  #encoded = Buffer.alloc(0)
  /** For a decoded chunk that is not kept. */
  #room: Uint8Array | undefined
  #isUsable = true

  private constructor(options: RawChunksOptions, layout: ChunkLayout, find: FindChunk) {
    this.#options = options
    this.#layout = layout
    this.#find = find
    this.#size = layout.chunkShape.reduce((product, length) => product * length, layout.elementBytes)
  }

  /** @returns undefined if the chunks of this dataset can't be read in this way */
  static of(options: RawChunksOptions): RawChunks | undefined {
    const { file, superblock, messages, chunkShape, elementBytes, filters } = options
    if (filters.length === 0 || filters.length > 32 || !(canDecode(filters) || needsCheck(filters))) return undefined
    try {
      const layout = chunkLayoutOf(file, superblock, messages)
      if (layout === undefined || layout.elementBytes !== elementBytes) return undefined
      if (layout.chunkShape.join() !== chunkShape.join()) return undefined
      return new RawChunks(options, layout, chunkIndex(layout, new IndexBlocks(file, superblock)))
    } catch (error) {
      if (!options.isOnlyReader && (error instanceof DamagedHeader || error instanceof RangeError)) return undefined
      throw error
    }
  }

  /**
   * Decodes one chunk: all of its elements, also those beyond the end of the dataset.
   * @param isKept whether it gets memory of its own; otherwise that of the next chunk may be the same
   * @throws any error of a decoder, if this is the only reader; TooLargeChunk, which no reader may have
   */
  read(index: readonly number[], isKept: boolean): RawChunk {
    if (!this.#isUsable) return 'unknown'
    try {
      const stored = this.#find(index)
      if (stored === undefined) return 'unwritten'
      const { address, size, filterMask } = stored
      if (size > encodedLimit(this.#size)) throw new TooLargeChunk(`it has ${size} bytes`)
      if (size === 0) throw new UndecodedChunk('it has no bytes')
      const encoded = this.#readEncoded(address, size)
      if (encoded === undefined) throw new UndecodedChunk('it lies beyond the end of the file')
      const left = this.#isPlain(index) ? -1 : filterMask
      if (canDecode(this.#options.filters)) return this.#decode(encoded, left, isKept)
      checkSizes(encoded, this.#options.filters, left, this.#size)
      return 'unknown'
    } catch (error) {
      if (this.#options.isOnlyReader || error instanceof AbsentBytes || error instanceof TooLargeChunk) throw error
      // An index that is damaged has no chunks that can be trusted; a damaged chunk says nothing about others.
      if (error instanceof DamagedHeader) this.#isUsable = false
      return 'unknown'
    }
  }

  /** Where chunks are stored; of those that were never written, or whose place is damaged, nothing. */
  rangesOf(indices: Iterable<readonly number[]>): ByteRange[] {
    const { superblock } = this.#options
    const ranges: ByteRange[] = []
    for (const index of indices) {
      const stored = this.#place(index)
      if (stored === undefined || stored.size > stepLimit(this.#size)) continue
      ranges.push({ start: superblock.base + stored.address, length: stored.size })
    }
    return ranges
  }

  #place(index: readonly number[]): StoredChunk | undefined {
    try {
      return this.#isUsable ? this.#find(index) : undefined
    } catch (error) {
      // It is reported when the chunk is read.
      if (error instanceof DamagedHeader) return undefined
      throw error
    }
  }

  #readEncoded(address: number, size: number): Buffer | undefined {
    const { file, superblock } = this.#options
    // No memory is kept for one that is too large, which is decoded to see whether the library may have it.
    const isUsual = size <= stepLimit(this.#size)
    if (isUsual && this.#encoded.length < size) this.#encoded = Buffer.allocUnsafeSlow(Math.ceil(size * 1.25))
    const encoded = isUsual ? this.#encoded.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    return file.read(encoded, superblock.base + address) === size ? encoded : undefined
  }

  #decode(encoded: Buffer, filterMask: number, isKept: boolean): Uint8Array {
    const { filters, bigEndian, elementBytes } = this.#options
    if (!isKept) this.#room ??= new Uint8Array(this.#size + SPARE_BYTES)
    let decoded = decodeFilters(encoded, filters, filterMask, this.#size, isKept ? undefined : this.#room)
    // Not `slice`, which for a Buffer is a view.
    if (decoded.buffer === encoded.buffer) decoded = new Uint8Array(decoded)
    if (bigEndian && elementBytes > 1) swapBytes(decoded, elementBytes)
    return decoded
  }

  #isPlain(index: readonly number[]): boolean {
    const { shape, chunkShape } = this.#options
    return this.#layout.hasPlainEdges && index.some((at, axis) => (at + 1) * chunkShape[axis]! > shape[axis]!)
  }
}
