import { rowMajorStrides } from '../../../core/array/strides.ts'
import type { Roi } from '../../../core/geometry/roi.ts'
import type { ByteFile, ByteRange } from '../../../ports/byte-file.ts'
import { btreeOne } from '../chunks/btree-one.ts'
import { addressAt, chunkLayoutOf } from '../chunks/chunk-layout.ts'
import { IndexBlocks } from '../chunks/index-blocks.ts'
import type { FindChunk } from '../chunks/stored-chunk.ts'
import type { Hdf5File } from '../hdf5-file.ts'
import { DamagedHeader, findMessage, type HeaderMessage, MESSAGE, type Superblock } from '../object-header.ts'

/** What is known of a dataset without filters. */
interface PlainDataset {
  readonly shape: readonly number[]
  readonly chunkShape: readonly number[]
  readonly elementBytes: number
}

/** Rows that are no further apart than this are fetched as one. */
const GAP_BYTES = 64 * 2 ** 10

/** Where the voxels of a dataset without filters are stored: in one piece, or in chunks with an index that is known. */
export interface StoredPlain {
  /** The stored bytes of a box, which the chunks make up. */
  rangesOf(box: Roi<'voxel'>, chunks: readonly (readonly number[])[]): ByteRange[]
}

/** @returns undefined for other layouts: the library asks for what it lacks, piece by piece @throws AbsentBytes */
export function storedPlain(file: Hdf5File, path: string, dataset: PlainDataset): StoredPlain | undefined {
  try {
    return file.inspectHeader(path, (bytes, block, messages) => {
      const start = contiguousStart(bytes, block, messages)
      if (start !== undefined) return { rangesOf: (box) => rowsOf(box, start, dataset) }
      const find = plainChunks(bytes, block, messages)
      return find && { rangesOf: (_, chunks) => chunkRanges(find, block, chunks) }
    })
  } catch (error) {
    // Whatever is damaged is reported by the library.
    if ((error as Error).cause instanceof DamagedHeader || error instanceof RangeError) return undefined
    throw error
  }
}

/** The first byte of a dataset in one piece; undefined for other layouts, and if it has no bytes of its own. @see File Format Specification IV.A.2.i, "Data Layout Message" */
export function contiguousStart(
  file: ByteFile,
  block: Superblock,
  messages: readonly HeaderMessage[],
): number | undefined {
  const layout = findMessage(file, block, messages, MESSAGE.layout)?.data
  if (layout === undefined || layout.length < 2 + block.offsetSize || layout[0]! < 3 || layout[1] !== 1)
    return undefined
  const address = addressAt(layout, 2, block.offsetSize)
  return address === undefined ? undefined : block.base + address
}

function plainChunks(file: ByteFile, block: Superblock, messages: readonly HeaderMessage[]): FindChunk | undefined {
  const layout = chunkLayoutOf(file, block, messages)
  if (layout?.index.kind !== 'btree-1' || layout.address === undefined) return undefined
  return btreeOne(new IndexBlocks(file, block), layout.address, layout.chunkShape)
}

function chunkRanges(find: FindChunk, { base }: Superblock, chunks: readonly (readonly number[])[]): ByteRange[] {
  const ranges: ByteRange[] = []
  for (const index of chunks) {
    const stored = placeOf(find, index)
    if (stored !== undefined) ranges.push({ start: base + stored.address, length: stored.size })
  }
  return ranges
}

function placeOf(find: FindChunk, index: readonly number[]) {
  try {
    return find(index)
  } catch (error) {
    if (error instanceof DamagedHeader) return undefined
    throw error
  }
}

/** The rows of a box, those close to each other as one. */
function rowsOf(box: Roi<'voxel'>, start: number, { shape, elementBytes }: PlainDataset): ByteRange[] {
  const strides = rowMajorStrides(shape, elementBytes)
  const ranges: { start: number; length: number }[] = []
  /** Of the axes from one on: where their first voxel is, and the bytes from it to the last one. */
  const inner = box.shape.map((_, axis) => ({
    first: box.offset.slice(axis).reduce((sum, offset, i) => sum + offset * strides[axis + i]!, 0),
    span: box.shape.slice(axis).reduce((sum, length, i) => sum + (length - 1) * strides[axis + i]!, elementBytes),
  }))
  const add = (first: number, length: number): void => {
    const last = ranges.at(-1)
    if (last !== undefined && first - (last.start + last.length) <= GAP_BYTES) last.length = first + length - last.start
    else ranges.push({ start: first, length })
  }
  const visit = (axis: number, at: number): void => {
    const { first, span } = inner[axis]!
    const gap = strides[axis]! - (inner[axis + 1]?.span ?? elementBytes)
    if (axis === box.shape.length - 1 || (gap <= GAP_BYTES && box.shape[axis]! > 1)) {
      add(at + first, span)
      return
    }
    for (let i = 0; i < box.shape[axis]!; i++) visit(axis + 1, at + (box.offset[axis]! + i) * strides[axis]!)
  }
  visit(0, start)
  return ranges
}
