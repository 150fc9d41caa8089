import { DamagedHeader } from '../object-header.ts'
import { addressAt } from './chunk-layout.ts'
import type { IndexBlocks } from './index-blocks.ts'
import { bitOf, entryAt, type StoredChunk } from './stored-chunk.ts'

const FILTERED_CHUNKS = 1

/** What the header of an extensible array says. All counts are of entries, if nothing else is said. */
interface Shape {
  readonly entrySize: number
  readonly mostBits: number
  /** Entries in the index block itself. */
  readonly inIndex: number
  /** Entries of the smallest data block. */
  readonly leastInBlock: number
  /** Pointers of the smallest secondary block. */
  readonly leastPointers: number
  readonly inPage: number
}

/** The place of an entry: which secondary block, which of its data blocks, and where in it. */
interface Place {
  readonly level: number
  /** Data blocks in the levels before. */
  readonly blocksBefore: number
  readonly block: number
  readonly entry: number
  readonly inBlock: number
  readonly blocks: number
}

/**
 * An extensible array: data blocks of growing size, the first ones named by the index block, the others by secondary blocks.
 * @see File Format Specification, "Extensible Array Index" @throws DamagedHeader
 */
export function extensibleArray(blocks: IndexBlocks, address: number): (number: number) => StoredChunk | undefined {
  const { offsetSize, lengthSize } = blocks.superblock
  const header = blocks.checked(address, 16 + 6 * lengthSize + offsetSize, 'EAHD')
  const shape = shapeOf(header, offsetSize)
  const index = addressAt(header, 12 + 6 * lengthSize, offsetSize)
  if (index === undefined) return () => undefined
  const { entrySize, inIndex, leastInBlock, leastPointers, mostBits, inPage } = shape
  const prefix = 6 + offsetSize
  // Secondary and data blocks also store the number of their first entry.
  const longPrefix = prefix + Math.ceil(mostBits / 8)
  const levelsInIndex = 2 * Math.log2(leastPointers)
  const blocksInIndex = 2 * (leastPointers - 1)
  const levels = 1 + mostBits - Math.log2(leastInBlock)
  const pointersAt = prefix + inIndex * entrySize
  const secondaryAt = pointersAt + blocksInIndex * offsetSize
  const indexLength = secondaryAt + Math.max(0, levels - levelsInIndex) * offsetSize + 4
  const entry = (bytes: Buffer, at: number) => entryAt(bytes, at, entrySize, offsetSize)
  const inDataBlock = (data: number | undefined, place: Place) => {
    if (data === undefined) return undefined
    const bytes = blocks.checked(data, longPrefix + place.inBlock * entrySize + 4, 'EADB')
    return entry(bytes, longPrefix + place.entry * entrySize)
  }
  const inSecondary = (secondary: number | undefined, place: Place) => {
    if (secondary === undefined) return undefined
    const pages = place.inBlock > inPage ? place.inBlock / inPage : 0
    const bitmap = place.blocks * Math.ceil(pages / 8)
    const length = longPrefix + bitmap + place.blocks * offsetSize + 4
    const bytes = blocks.checked(secondary, length, 'EASB')
    const data = addressAt(bytes, longPrefix + bitmap + place.block * offsetSize, offsetSize)
    if (pages === 0 || data === undefined) return inDataBlock(data, place)
    const page = Math.floor(place.entry / inPage)
    if (!bitOf(bytes, longPrefix, place.block * pages + page)) return undefined
    // The data block's own head has a checksum, too.
    const at = data + longPrefix + 4 + page * (inPage * entrySize + 4)
    return entry(blocks.page(at, inPage * entrySize + 4), (place.entry % inPage) * entrySize)
  }
  return (number) => {
    const bytes = blocks.checked(index, indexLength, 'EAIB')
    if (number < inIndex) return entry(bytes, prefix + number * entrySize)
    const place = placeOf(number - inIndex, leastInBlock)
    if (place.level >= levels) return undefined
    if (place.level < levelsInIndex) {
      const at = pointersAt + (place.blocksBefore + place.block) * offsetSize
      return inDataBlock(addressAt(bytes, at, offsetSize), place)
    }
    return inSecondary(addressAt(bytes, secondaryAt + (place.level - levelsInIndex) * offsetSize, offsetSize), place)
  }
}

function shapeOf(header: Buffer, offsetSize: number): Shape {
  const [entrySize, mostBits, inIndex, leastInBlock, leastPointers, pageBits] = header.subarray(6, 12) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const arePowers = [leastInBlock, leastPointers].every((value) => Number.isInteger(Math.log2(value)))
  if (header[5] !== FILTERED_CHUNKS || entrySize < offsetSize + 5 || !arePowers || mostBits > 64 || pageBits > 30) {
    throw new DamagedHeader('an index of chunks has entries of another kind')
  }
  return { entrySize, mostBits, inIndex, leastInBlock, leastPointers, inPage: 2 ** pageBits }
}

/** Level n has 2^⌊n/2⌋ data blocks of 2^⌈n/2⌉ times the least entries. */
function placeOf(number: number, leastInBlock: number): Place {
  const level = Math.floor(Math.log2(Math.floor(number / leastInBlock) + 1))
  const inBlock = 2 ** Math.ceil(level / 2) * leastInBlock
  const inLevel = number - (2 ** level - 1) * leastInBlock
  let blocksBefore = 0
  for (let before = 0; before < level; before++) blocksBefore += 2 ** Math.floor(before / 2)
  return {
    level,
    blocksBefore,
    block: Math.floor(inLevel / inBlock),
    entry: inLevel % inBlock,
    inBlock,
    blocks: 2 ** Math.floor(level / 2),
  }
}
