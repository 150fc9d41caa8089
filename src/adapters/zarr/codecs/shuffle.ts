// Blosc's two filters. Both work on whole elements and leave the bytes of a last, partial element where they are.

/** All first bytes of the elements, then all second ones, …. */
export function shuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size)
  for (let byte = 0; byte < size; byte++) {
    const row = byte * count
    for (let i = 0, at = byte; i < count; i++, at += size) target[row + i] = source[at] as number
  }
  target.set(source.subarray(count * size), count * size)
}

export function unshuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size)
  if (size === 2) unshufflePairs(source, target, count)
  else if (size === 4) unshuffleQuads(source, target, count)
  else {
    for (let byte = 0; byte < size; byte++) {
      const row = byte * count
      for (let i = 0, at = byte; i < count; i++, at += size) target[at] = source[row + i] as number
    }
  }
  target.set(source.subarray(count * size, source.length), count * size)
}

// One store per element instead of one per byte.
function unshufflePairs(source: Uint8Array, target: Uint8Array, count: number): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  for (let i = 0; i < count; i++)
    view.setUint16(2 * i, (source[i] as number) | ((source[count + i] as number) << 8), true)
}

function unshuffleQuads(source: Uint8Array, target: Uint8Array, count: number): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  const b = count
  const c = 2 * count
  const d = 3 * count
  for (let i = 0; i < count; i++) {
    const low = (source[i] as number) | ((source[b + i] as number) << 8)
    const high = (source[c + i] as number) | ((source[d + i] as number) << 8)
    view.setInt32(4 * i, low | (high << 16), true)
  }
}

/**
 * Whether Blosc transposes the bits of a block of so many bytes at all: its first version only does where the elements
 * fill whole bytes, and copies the block elsewhere.
 */
const fillsBytes = (length: number, size: number) => Math.floor(length / size) % 8 === 0

/** All first bits of the elements, then all second ones, …, eight elements to a byte, the first in the lowest bit. */
export function shuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!fillsBytes(source.length, size)) {
    target.set(source)
    return
  }
  const groups = Math.floor(source.length / size) / 8
  for (let byte = 0; byte < size; byte++) {
    for (let group = 0; group < groups; group++) {
      const at = group * 8 * size + byte
      const low = gather(source, at, size)
      const high = gather(source, at + 4 * size, size)
      transposeInto(low, high, target, byte * 8 * groups + group, groups)
    }
  }
  target.set(source.subarray(groups * 8 * size), groups * 8 * size)
}

export function unshuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  if (!fillsBytes(source.length, size)) {
    target.set(source)
    return
  }
  const groups = Math.floor(source.length / size) / 8
  for (let byte = 0; byte < size; byte++) {
    for (let group = 0; group < groups; group++) {
      const at = byte * 8 * groups + group
      const low = gather(source, at, groups)
      const high = gather(source, at + 4 * groups, groups)
      transposeInto(low, high, target, group * 8 * size + byte, size)
    }
  }
  target.set(source.subarray(groups * 8 * size), groups * 8 * size)
}

/** Four bytes, `step` apart, as one word. */
const gather = (bytes: Uint8Array, at: number, step: number): number =>
  (bytes[at] as number) |
  ((bytes[at + step] as number) << 8) |
  ((bytes[at + 2 * step] as number) << 16) |
  ((bytes[at + 3 * step] as number) << 24)

/** Transposes an 8×8 matrix of bits, a row per byte, lowest bit first. @see Hacker's Delight, 7–3 */
function transposeInto(low: number, high: number, target: Uint8Array, at: number, step: number): void {
  let t = (low ^ (low >>> 7)) & 0x00aa00aa
  low = low ^ t ^ (t << 7)
  t = (high ^ (high >>> 7)) & 0x00aa00aa
  high = high ^ t ^ (t << 7)
  t = (low ^ (low >>> 14)) & 0x0000cccc
  low = low ^ t ^ (t << 14)
  t = (high ^ (high >>> 14)) & 0x0000cccc
  high = high ^ t ^ (t << 14)
  const rows = (low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4)
  const others = ((low >>> 4) & 0x0f0f0f0f) | (high & 0xf0f0f0f0)
  for (let i = 0; i < 4; i++) {
    target[at + i * step] = rows >>> (8 * i)
    target[at + (i + 4) * step] = others >>> (8 * i)
  }
}
