import { DamagedHeader, unsigned } from '../object-header.ts'
import { addressAt } from './chunk-layout.ts'
import type { IndexBlocks } from './index-blocks.ts'
import { bitOf, entryAt, type StoredChunk } from './stored-chunk.ts'

const FILTERED_CHUNKS = 1

/**
 * A fixed array: one entry for each chunk that the dataset can have; a long one has pages.
 * @see File Format Specification, "Fixed Array Index" @throws DamagedHeader
 */
export function fixedArray(
  blocks: IndexBlocks,
  address: number,
  pageBits: number,
): (number: number) => StoredChunk | undefined {
  const { offsetSize, lengthSize } = blocks.superblock
  const header = blocks.checked(address, 12 + lengthSize + offsetSize, 'FAHD')
  const entrySize = header[6]!
  const count = unsigned(header, 8, lengthSize)
  const data = addressAt(header, 8 + lengthSize, offsetSize)
  if (header[5] !== FILTERED_CHUNKS || header[7] !== pageBits || pageBits > 30 || entrySize < offsetSize + 5) {
    throw new DamagedHeader('an index of chunks has entries of another kind')
  }
  if (data === undefined) return () => undefined
  const prefix = 6 + offsetSize
  const inPage = 2 ** pageBits
  const pages = count > inPage ? Math.ceil(count / inPage) : 0
  const bitmap = Math.ceil(pages / 8)
  const load = (number: number): { bytes: Buffer; at: number } | undefined => {
    if (pages === 0) {
      const bytes = blocks.checked(data, prefix + count * entrySize + 4, 'FADB')
      return { bytes, at: prefix + number * entrySize }
    }
    const head = blocks.checked(data, prefix + bitmap + 4, 'FADB')
    const page = Math.floor(number / inPage)
    if (!bitOf(head, prefix, page)) return undefined
    const length = Math.min(inPage, count - page * inPage) * entrySize + 4
    const bytes = blocks.page(data + head.length + page * (inPage * entrySize + 4), length)
    return { bytes, at: (number % inPage) * entrySize }
  }
  return (number) => {
    if (number >= count) return undefined
    const found = load(number)
    return found === undefined ? undefined : entryAt(found.bytes, found.at, entrySize, offsetSize)
  }
}
