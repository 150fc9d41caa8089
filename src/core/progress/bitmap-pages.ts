import { InfrastructureError } from '../errors.ts'

/** Blocks per page of a task's bitmap of finished blocks. */
export const PAGE_BLOCKS = 65_536
/** Bytes per page; a task's last page may be shorter. */
export const PAGE_BYTES = PAGE_BLOCKS / 8

export const bitmapBytes = (blockCount: number): number => Math.ceil(blockCount / 8)

/** One page of a bitmap, as a view. */
export const pageOf = (bitmap: Uint8Array, page: number): Uint8Array =>
  bitmap.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)

/**
 * Copies a stored page to its place in a bitmap.
 * @throws InfrastructureError `CORRUPT_DATA` if the page does not fit the bitmap
 */
export function placePage(bitmap: Uint8Array, blockCount: number, page: number, bits: Uint8Array): void {
  const place = pageOf(bitmap, page)
  const spare = page * PAGE_BLOCKS + bits.length * 8 - blockCount
  const isValid = Number.isInteger(page) && page >= 0 && bits.length > 0 && bits.length === place.length
  if (!isValid || (spare > 0 && (bits.at(-1) as number) >> (8 - spare) !== 0)) {
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `The record is damaged: page ${page} of the finished blocks has ${bits.length} bytes, or marks blocks beyond the last of ${blockCount}; restore the record, or start again with --overwrite.`,
    )
  }
  place.set(bits)
}

/** The pages of a bitmap that have a bit that is 1, as views. */
export function* pagesOf(bitmap: Uint8Array): Generator<{ readonly page: number; readonly bits: Uint8Array }> {
  for (let page = 0; page * PAGE_BYTES < bitmap.length; page++) {
    const bits = pageOf(bitmap, page)
    if (bits.some((byte) => byte !== 0)) yield { page, bits }
  }
}

/** Block indices as pages of bits, to remove from a bitmap. */
export function maskPages(indices: Iterable<number>): Map<number, Uint8Array> {
  const pages = new Map<number, Uint8Array>()
  let page = -1
  let bits: Uint8Array = new Uint8Array()
  for (const index of indices) {
    const at = Math.floor(index / PAGE_BLOCKS)
    if (at !== page) {
      page = at
      bits = pages.get(page) ?? new Uint8Array(PAGE_BYTES)
      pages.set(page, bits)
    }
    bits[(index % PAGE_BLOCKS) >> 3]! |= 1 << (index & 7)
  }
  return pages
}

/** A page without the bits of a mask. */
export const withoutMask = (bits: Uint8Array, mask: Uint8Array): Uint8Array =>
  bits.map((byte, at) => byte & ~(mask[at] as number))

/** Whether a mask contains a block. */
export function isInMask(mask: ReadonlyMap<number, Uint8Array>, block: number): boolean {
  const bits = mask.get(Math.floor(block / PAGE_BLOCKS))
  return bits !== undefined && (((bits[(block % PAGE_BLOCKS) >> 3] as number) >> (block & 7)) & 1) === 1
}
