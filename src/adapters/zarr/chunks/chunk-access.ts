import { fillBox, type StridedBytes } from '../../../core/array/box-copy.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { BlockwiseError, InfrastructureError } from '../../../core/errors.ts'
import { showCoordinate } from '../../../core/geometry/coordinate.ts'
import { CodecError } from '../../codecs/codec.ts'
import type { ChunkCodec } from './chunk-codec.ts'
import type { ChunkPart } from './chunk-grid.ts'

/** Reads and writes parts of an array's files; each file is a chunk or a shard. */
export interface ChunkAccess {
  /** Bytes of one decoded file. */
  readonly byteLength: number
  /** How many files may be in flight at once. */
  readonly limit: number
  /**
   * @param target starts at the part's first voxel; gets the fill value if the chunk is missing
   * @param keep whether decoded chunks are kept, since other parts of them will be read soon
   */
  read(part: ChunkPart, target: StridedBytes, keep: boolean, signal?: AbortSignal): Promise<void>
  /**
   * @param source starts at the part's first voxel
   * @param covers whether the part covers all of the file that is inside the array
   */
  write(part: ChunkPart, source: StridedBytes, covers: boolean): Promise<void>
  /**
   * Replaces a chunk by one of another array, of the same shape and dtype. Absent if files have several chunks.
   * @param isSame whether that array encodes chunks in the same way
   */
  copy?(index: readonly number[], from: ChunkOfArray, isSame: boolean, signal?: AbortSignal): Promise<void>
  /**
   * Calls `use` with a chunk, encoded and decoded; both are gone when it has ended. Absent if files have several chunks.
   * @returns false if the chunk is missing
   * @throws InfrastructureError `CORRUPT_DATA`
   */
  lend?(
    index: readonly number[],
    use: (encoded: Uint8Array, decoded: Uint8Array) => Promise<void>,
    signal?: AbortSignal,
  ): Promise<boolean>
}

/** A chunk of another array. */
export interface ChunkOfArray {
  readonly index: readonly number[]
  readonly access: ChunkAccess
  /** The bytes of that array's fill value. */
  readonly fill: Uint8Array
}

/** Whether a part is as large as a chunk. */
export const isWholeShape = (part: ChunkPart, chunk: ChunkCodec): boolean =>
  part.shape.every((length, axis) => length === chunk.shape[axis])

/** Whether a part is a complete chunk whose layout in `memory` is that of the decoded chunk. */
export const isWholeInPlace = (part: ChunkPart, chunk: ChunkCodec, memory: StridedBytes): boolean =>
  part.shape.every(
    (length, axis) => length === chunk.shape[axis] && (length === 1 || chunk.strides[axis] === memory.strides[axis]),
  )

/** The bytes of a complete chunk in `memory`, without a copy. */
export const viewOf = (memory: StridedBytes, byteLength: number): Uint8Array =>
  memory.bytes.subarray(memory.start, memory.start + byteLength)

/** Fills a decoded chunk with the fill value. */
export function fillChunk(bytes: Uint8Array, fill: Uint8Array): void {
  const elements = bytes.length / fill.length
  fillBox([elements], fill, { bytes, start: 0, strides: rowMajorStrides([elements], fill.length) })
}

/** Whether a decoded chunk consists of the fill value alone, to the last bit: then it need not be stored. */
export function isOnlyFill(bytes: Uint8Array, fill: Uint8Array): boolean {
  const size = fill.length
  if (Buffer.compare(bytes.subarray(0, size), fill) !== 0) return false
  // Each element equals the one before it.
  return Buffer.compare(bytes.subarray(size), bytes.subarray(0, bytes.length - size)) === 0
}

/**
 * Runs a decoder and turns its failure into an error that names the file and the chunk.
 * @throws InfrastructureError `CORRUPT_DATA`
 */
export function decodeOrThrow<T>(file: string, index: readonly number[], decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof BlockwiseError) throw error
    const what = error instanceof CodecError ? error.message : `it can't be decoded: ${(error as Error).message}`
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${file} is corrupt (chunk ${showCoordinate(index)}): ${what}; restore it, or delete it and run its blocks again.`,
      { cause: error },
    )
  }
}
