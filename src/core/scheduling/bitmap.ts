// Bit i of a bitmap is bit `i % 8`, lowest first, of byte `floor(i / 8)`.

/** The lowest bit that is 0 in [from, end), or `end`; a byte of ones costs one step. */
export function nextClearBit(bitmap: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end) {
    const bit = at & 7
    const clear = ~(bitmap[(at - bit) / 8]! | ((1 << bit) - 1)) & 255
    if (clear !== 0) return Math.min(end, at - bit + 31 - Math.clz32(clear & -clear))
    at += 8 - bit
  }
  return end
}

/** The lowest bit that is 1 in [from, end), or `end`; a byte of zeros costs one step. */
export function nextSetBit(bitmap: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end) {
    const bit = at & 7
    const set = bitmap[(at - bit) / 8]! & (255 << bit)
    if (set !== 0) return Math.min(end, at - bit + 31 - Math.clz32(set & -set))
    at += 8 - bit
  }
  return end
}

export const isBitSet = (bitmap: Uint8Array, at: number): boolean =>
  ((bitmap[(at - (at & 7)) / 8]! >> (at & 7)) & 1) === 1

/** How many bits are 0 in [from, end). */
export function countClearBits(bitmap: Uint8Array, from: number, end: number): number {
  let count = 0
  for (let at = nextClearBit(bitmap, from, end); at < end; at = nextClearBit(bitmap, at + 1, end)) count++
  return count
}

/** How many of the first `length` bits are 1; `bitmap` must lie at the start of its buffer. */
export function countSetBits(bitmap: Uint8Array, length: number): number {
  const wordCount = Math.floor(length / 32)
  const words = new Uint32Array(bitmap.buffer, 0, wordCount)
  let count = 0
  for (let w = 0; w < wordCount; w++) {
    let x = words[w]!
    x -= (x >>> 1) & 0x55555555
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
    count += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
  }
  for (let at = wordCount * 32; at < length; at++) if (isBitSet(bitmap, at)) count++
  return count
}

/** The bits of a bitmap that are not set in another one. */
export function withoutBits(bits: Uint8Array, others: Uint8Array | undefined): Uint8Array {
  // The slice of a Buffer would share its memory.
  const left = new Uint8Array(bits)
  const length = Math.min(left.length, others?.length ?? 0)
  for (let at = 0; at < length; at++) left[at]! &= ~others![at]!
  return left
}

/** The bits that are set in one of two bitmaps, as many as the first one has. */
export function unitedBits(bits: Uint8Array, others: Uint8Array | undefined): Uint8Array {
  const united = new Uint8Array(bits)
  const length = Math.min(united.length, others?.length ?? 0)
  for (let at = 0; at < length; at++) united[at]! |= others![at]!
  return united
}
