import { DamagedHeader, unsigned } from '../object-header.ts'
import type { IndexBlocks } from './index-blocks.ts'
import { type FindChunk, lastNotAfter } from './stored-chunk.ts'

const CHUNK_NODE = 1

/**
 * A version 1 B-tree of chunks, sorted by the offset of their first voxel.
 * @see File Format Specification III.A.1
 */
export function btreeOne(blocks: IndexBlocks, root: number, chunkShape: readonly number[]): FindChunk {
  const { offsetSize } = blocks.superblock
  const rank = chunkShape.length
  const head = 8 + 2 * offsetSize
  // Size, mask, and an offset along each axis and inside an element.
  const keySize = 8 + 8 * (rank + 1)
  const step = keySize + offsetSize
  const load = (address: number): Buffer => {
    const prefix = blocks.read(address, head)
    if (prefix.toString('latin1', 0, 4) !== 'TREE' || prefix[4] !== CHUNK_NODE) {
      throw new DamagedHeader('a node of the tree of chunks is missing')
    }
    const node = blocks.read(address, head + prefix.readUInt16LE(6) * step + keySize)
    assertSorted(node)
    return node
  }
  const assertSorted = (node: Buffer): void => {
    const count = node.readUInt16LE(6)
    for (let entry = 0; entry < count; entry++) {
      const at = head + entry * step + 8
      const offset = chunkShape.map((_, axis) => unsigned(node, at + 8 * axis, 8))
      const isWhole = offset.every((place, axis) => place % chunkShape[axis]! === 0)
      // Trees of this version have no checksum.
      const isBeforeNext = entry + 1 === count || compare(node, entry + 1, offset) > 0
      if (!isWhole || !isBeforeNext) throw new DamagedHeader('a tree of chunks is not sorted')
    }
  }
  const compare = (node: Buffer, entry: number, offset: readonly number[]): number => {
    for (let axis = 0; axis < rank; axis++) {
      const difference = unsigned(node, head + entry * step + 8 + 8 * axis, 8) - offset[axis]!
      if (difference !== 0) return difference
    }
    return 0
  }
  return (index) => {
    const offset = index.map((at, axis) => at * chunkShape[axis]!)
    let address = root
    for (let above = 256; ; ) {
      const place = address
      const node = blocks.block(place, () => load(place))
      const level = node[5]!
      if (level >= above) throw new DamagedHeader('the tree of chunks has a cycle')
      above = level
      const entry = lastNotAfter(node.readUInt16LE(6), (at) => compare(node, at, offset))
      if (entry < 0) return undefined
      const at = head + entry * step
      address = unsigned(node, at + keySize, offsetSize)
      if (level > 0) continue
      if (compare(node, entry, offset) !== 0) return undefined
      return { address, size: unsigned(node, at, 4), filterMask: unsigned(node, at + 4, 4) }
    }
  }
}
