import { DamagedHeader, unsigned } from '../object-header.ts'
import type { IndexBlocks } from './index-blocks.ts'
import { entryAt, type FindChunk, lastNotAfter } from './stored-chunk.ts'

const FILTERED_CHUNKS = 11
/** Signature, version, type and checksum of a node. */
const OVERHEAD = 10
/** 2^64 records need fewer levels. */
const MOST_LEVELS = 64

/**
 * A version 2 B-tree of filtered chunks, sorted by their index. Nodes between have records of their own.
 * @see File Format Specification III.A.2 @throws DamagedHeader
 */
export function btreeTwo(blocks: IndexBlocks, address: number, rank: number): FindChunk {
  const { offsetSize, lengthSize } = blocks.superblock
  const header = blocks.checked(address, 22 + offsetSize + lengthSize, 'BTHD')
  const [nodeSize, recordSize, depth] = [header.readUInt32LE(6), header.readUInt16LE(10), header.readUInt16LE(12)]
  const rootRecords = header.readUInt16LE(16 + offsetSize)
  const placesAt = recordSize - 8 * rank
  if (header[5] !== FILTERED_CHUNKS || placesAt < offsetSize + 5 || depth > MOST_LEVELS) {
    throw new DamagedHeader('an index of chunks has records of another kind')
  }
  const pointers = pointerSizes(nodeSize, recordSize, depth, offsetSize)
  const compare = (node: Buffer, record: number, index: readonly number[]): number => {
    const at = 6 + record * recordSize + placesAt
    for (let axis = 0; axis < rank; axis++) {
      const difference = unsigned(node, at + 8 * axis, 8) - index[axis]!
      if (difference !== 0) return difference
    }
    return 0
  }
  return (index) => {
    let place = unsigned(header, 16, offsetSize)
    let count = rootRecords
    for (let level = depth; ; level--) {
      const pointer = pointers[level]!
      const length = OVERHEAD + count * recordSize + (level === 0 ? 0 : (count + 1) * pointer.size)
      if (length > nodeSize) throw new DamagedHeader('a node of an index has more records than fit')
      if (count === 0 && level === 0) return undefined
      const node = blocks.checked(place, length, level === 0 ? 'BTLF' : 'BTIN')
      const record = lastNotAfter(count, (at) => compare(node, at, index))
      if (record >= 0 && compare(node, record, index) === 0) {
        return entryAt(node, 6 + record * recordSize, placesAt, offsetSize)
      }
      if (level === 0) return undefined
      const child = 6 + count * recordSize + (record + 1) * pointer.size
      place = unsigned(node, child, offsetSize)
      count = unsigned(node, child + offsetSize, pointer.countSize)
    }
  }
}

interface PointerSize {
  readonly size: number
  /** Bytes of the number of records in a child. */
  readonly countSize: number
}

/** The sizes of pointers in nodes of each level; they depend on how many records fit below. */
function pointerSizes(nodeSize: number, recordSize: number, depth: number, offsetSize: number): PointerSize[] {
  const inLeaf = Math.floor((nodeSize - OVERHEAD) / recordSize)
  const countSize = bytesFor(BigInt(Math.max(1, inLeaf)))
  const sizes: PointerSize[] = [{ size: 0, countSize }]
  let [below, belowSize] = [BigInt(inLeaf), 0]
  for (let level = 1; level <= depth; level++) {
    const size = offsetSize + countSize + belowSize
    const records = Math.floor((nodeSize - OVERHEAD - size) / (recordSize + size))
    if (records < 1) throw new DamagedHeader('nodes of an index are too small')
    sizes.push({ size, countSize })
    below = BigInt(records + 1) * below + BigInt(records)
    belowSize = bytesFor(below)
  }
  return sizes
}

const bytesFor = (most: bigint): number => Math.floor((most.toString(2).length - 1) / 8) + 1
