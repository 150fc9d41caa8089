// Blosc's two filters, in TypeScript: for blocks that are too large for the module in codecs.as, and for tests of that. Both permute complete
// elements and leave the bytes of a last, partial element in place.

/** The first bytes of all elements, then all second bytes, and so on. */
export function plainShuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size)
  const done =
    size === 2
      ? shufflePairs(source, target, count)
      : size % 4 === 0
        ? transposeQuads(source, target, size, byElement(size, 4), byByte(count))
        : 0
  for (let byte = 0; byte < size; byte++) {
    for (let i = done; i < count; i++) target[byte * count + i] = source[i * size + byte] as number
  }
  target.set(source.subarray(count * size), count * size)
}

export function plainUnshuffleBytes(source: Uint8Array, target: Uint8Array, size: number): void {
  const count = Math.floor(source.length / size)
  const done =
    size === 2
      ? unshufflePairs(source, target, count)
      : size % 4 === 0
        ? transposeQuads(source, target, size, byByte(count), byElement(size, 4))
        : 0
  for (let byte = 0; byte < size; byte++) {
    for (let i = done; i < count; i++) target[i * size + byte] = source[byte * count + i] as number
  }
  target.set(source.subarray(count * size), count * size)
}

// Four elements at a time, as words: a quarter of the loads and stores. Each function returns how many elements it has done.

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function shufflePairs(source: Uint8Array, target: Uint8Array, count: number): number {
  const from = viewOf(source)
  const to = viewOf(target)
  const end = count - (count % 4)
  for (let i = 0; i < end; i += 4) {
    const a = from.getInt32(2 * i, true)
    const b = from.getInt32(2 * i + 4, true)
    const low = (a & 0xff) | ((a >>> 8) & 0xff00) | ((b & 0xff) << 16) | ((b & 0xff0000) << 8)
    const high = ((a >>> 8) & 0xff) | ((a >>> 16) & 0xff00) | ((b & 0xff00) << 8) | (b & 0xff000000)
    to.setInt32(i, low, true)
    to.setInt32(count + i, high, true)
  }
  return end
}

function unshufflePairs(source: Uint8Array, target: Uint8Array, count: number): number {
  const from = viewOf(source)
  const to = viewOf(target)
  const end = count - (count % 4)
  for (let i = 0; i < end; i += 4) {
    const low = from.getInt32(i, true)
    const high = from.getInt32(count + i, true)
    const a = (low & 0xff) | ((high & 0xff) << 8) | ((low & 0xff00) << 8) | ((high & 0xff00) << 16)
    const b = ((low >>> 16) & 0xff) | ((high >>> 8) & 0xff00) | ((low >>> 8) & 0xff0000) | (high & 0xff000000)
    to.setInt32(2 * i, a, true)
    to.setInt32(2 * i + 4, b, true)
  }
  return end
}

/** Where the bytes of a group of elements lie: `byte * perByte + group * perGroup` for the first, then every `step` bytes. */
interface Layout {
  readonly perByte: number
  readonly perGroup: number
  readonly step: number
}

/** Layout by element: the same byte of so many successive elements. */
const byElement = (size: number, elements: number): Layout => ({ perByte: 1, perGroup: elements * size, step: size })

/** Layout by byte: that of all elements, then the next one of all. */
const byByte = (count: number): Layout => ({ perByte: count, perGroup: 4, step: count })

/** Transposes a 4×4 matrix of bytes per step: four bytes from each of four elements. Its inverse is the same. */
function transposeQuads(source: Uint8Array, target: Uint8Array, size: number, from: Layout, to: Layout): number {
  const [input, output] = [viewOf(source), viewOf(target)]
  const groups = Math.floor(source.length / size / 4)
  for (let byte = 0; byte < size; byte += 4) {
    for (let group = 0; group < groups; group++) {
      const start = byte * from.perByte + group * from.perGroup
      const a = input.getInt32(start, true)
      const b = input.getInt32(start + from.step, true)
      const c = input.getInt32(start + 2 * from.step, true)
      const d = input.getInt32(start + 3 * from.step, true)
      const at = byte * to.perByte + group * to.perGroup
      output.setInt32(at, (a & 0xff) | ((b & 0xff) << 8) | ((c & 0xff) << 16) | (d << 24), true)
      output.setInt32(
        at + to.step,
        ((a >>> 8) & 0xff) | (b & 0xff00) | ((c & 0xff00) << 8) | ((d & 0xff00) << 16),
        true,
      )
      output.setInt32(
        at + 2 * to.step,
        ((a >>> 16) & 0xff) | ((b >>> 8) & 0xff00) | (c & 0xff0000) | ((d & 0xff0000) << 8),
        true,
      )
      output.setInt32(
        at + 3 * to.step,
        (a >>> 24) | ((b >>> 16) & 0xff00) | ((c >>> 8) & 0xff0000) | (d & 0xff000000),
        true,
      )
    }
  }
  return 4 * groups
}

/**
 * Whether Blosc transposes the bits of a block of `length` bytes. Its first version does so only if the number of elements is a
 * multiple of eight, and copies the block otherwise.
 */
const fillsBytes = (length: number, size: number) => Math.floor(length / size) % 8 === 0

/** The first bits of all elements, then all second bits, and so on; eight elements per byte, the first in the lowest bit. */
export function plainShuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  const groups = Math.floor(source.length / size) / 8
  transposeBits(source, target, size, byElement(size, 8), planes(groups))
}

export function plainUnshuffleBits(source: Uint8Array, target: Uint8Array, size: number): void {
  const groups = Math.floor(source.length / size) / 8
  transposeBits(source, target, size, planes(groups), byElement(size, 8))
}

/** Layout by bit plane: the bits of the same eight elements in each of eight planes. */
const planes = (groups: number): Layout => ({ perByte: 8 * groups, perGroup: 1, step: groups })

function transposeBits(source: Uint8Array, target: Uint8Array, size: number, from: Layout, to: Layout): void {
  if (!fillsBytes(source.length, size)) {
    target.set(source)
    return
  }
  const groups = Math.floor(source.length / size) / 8
  for (let byte = 0; byte < size; byte++) {
    for (let group = 0; group < groups; group++) {
      const at = byte * from.perByte + group * from.perGroup
      const low = gather(source, at, from.step)
      const high = gather(source, at + 4 * from.step, from.step)
      transposeInto(low, high, target, byte * to.perByte + group * to.perGroup, to.step)
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
