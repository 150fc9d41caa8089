import { unsigned } from '../object-header.ts'
import { addressAt } from './chunk-layout.ts'

/** Where a chunk is stored, as it is in the file. */
export interface StoredChunk {
  /** Relative to the base. */
  readonly address: number
  /** In bytes, encoded. */
  readonly size: number
  /** A bit for each filter that was not applied. */
  readonly filterMask: number
}

/**
 * Finds a chunk by its place in the chunk grid.
 * @returns undefined if the chunk was never written
 * @throws DamagedHeader
 */
export type FindChunk = (index: readonly number[]) => StoredChunk | undefined

/** An entry of an array: address, size, mask. */
export function entryAt(bytes: Buffer, at: number, entrySize: number, offsetSize: number): StoredChunk | undefined {
  const address = addressAt(bytes, at, offsetSize)
  if (address === undefined) return undefined
  const sizeBytes = entrySize - offsetSize - 4
  return {
    address,
    size: unsigned(bytes, at + offsetSize, sizeBytes),
    filterMask: unsigned(bytes, at + offsetSize + sizeBytes, 4),
  }
}

/** The last of some sorted entries for which `compare` is not above 0; -1 if there is none. */
export function lastNotAfter(count: number, compare: (entry: number) => number): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(middle) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Bits start at the highest one of each byte. */
export const bitOf = (bytes: Buffer, at: number, bit: number): boolean =>
  ((bytes[at + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0
