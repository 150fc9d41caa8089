import { btreeOne } from './btree-one.ts'
import { btreeTwo } from './btree-two.ts'
import type { ChunkLayout } from './chunk-layout.ts'
import { extensibleArray } from './extensible-array.ts'
import { fixedArray } from './fixed-array.ts'
import type { IndexBlocks } from './index-blocks.ts'
import type { FindChunk } from './stored-chunk.ts'

/** The index of a dataset's chunks. Its blocks are read when they are first needed. @throws DamagedHeader */
export function chunkIndex(layout: ChunkLayout, blocks: IndexBlocks): FindChunk {
  const { address, index, chunkShape, mostChunks } = layout
  if (address === undefined) return () => undefined
  switch (index.kind) {
    case 'single': {
      const { size, filterMask } = index
      return (place) => (place.every((at) => at === 0) ? { address, size, filterMask } : undefined)
    }
    case 'btree-1':
      return btreeOne(blocks, address, chunkShape)
    case 'btree-2':
      return btreeTwo(blocks, address, chunkShape.length)
    case 'fixed-array': {
      const steps = stepsOf(mostChunks)
      const find = fixedArray(blocks, address, index.pageBits)
      return (place) => find(numberOf(place, steps))
    }
    case 'extensible-array': {
      // The unlimited axis counts as the slowest one.
      const unlimited = mostChunks.indexOf(Number.POSITIVE_INFINITY)
      const first = <T>(list: readonly T[]): T[] => [list[unlimited]!, ...list.toSpliced(unlimited, 1)]
      const steps = stepsOf(first(mostChunks))
      const find = extensibleArray(blocks, address)
      return (place) => find(numberOf(first(place), steps))
    }
    default:
      return index satisfies never
  }
}

function stepsOf(lengths: readonly number[]): number[] {
  return lengths.map((_, axis) => lengths.slice(axis + 1).reduce((product, length) => product * length, 1))
}

const numberOf = (place: readonly number[], steps: readonly number[]): number =>
  place.reduce((sum, at, axis) => sum + at * steps[axis]!, 0)
