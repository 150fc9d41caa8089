import { CodecError } from '../codecs/codec.ts'

/** The shape of what is decoded: x, y and z. */
type Triple = readonly [number, number, number]

const truncated = () => new CodecError('its compressed segmentation is truncated')

/**
 * Labels in blocks that each have a table of labels and indices of few bits.
 * https://github.com/google/neuroglancer/tree/master/src/sliceview/compressed_segmentation
 * @param shape of the chunk, x, y, z
 * @param block shape of a block, x, y, z
 * @param labelWords 1 for uint32, 2 for uint64
 * @returns labels of all channels, x fastest
 * @throws CodecError
 */
export function decodeCompressedSegmentation(
  data: Uint8Array,
  shape: Triple,
  channels: number,
  block: Triple,
  labelWords: 1 | 2,
): Uint8Array {
  if (data.length % 4 !== 0)
    throw new CodecError(`its compressed segmentation has ${data.length} bytes, no multiple of 4`)
  const words = new Uint32Array(new Uint8Array(data).buffer)
  const perChannel = shape[0] * shape[1] * shape[2]
  const output = new Uint32Array(channels * perChannel * labelWords)
  for (let channel = 0; channel < channels; channel++) {
    const start = words[channel]
    if (start === undefined || start > words.length) throw truncated()
    const target = output.subarray(channel * perChannel * labelWords, (channel + 1) * perChannel * labelWords)
    decodeChannel(words.subarray(start), shape, block, labelWords, target)
  }
  return new Uint8Array(output.buffer)
}

function decodeChannel(words: Uint32Array, shape: Triple, block: Triple, labelWords: 1 | 2, target: Uint32Array): void {
  const [gx, gy, gz] = shape.map((length, axis) => Math.ceil(length / (block[axis] as number))) as [
    number,
    number,
    number,
  ]
  if (2 * gx * gy * gz > words.length) throw truncated()
  for (let z = 0, header = 0; z < gz; z++) {
    for (let y = 0; y < gy; y++) {
      for (let x = 0; x < gx; x++, header += 2) {
        const first = words[header] as number
        const bits = first >>> 24
        if (bits > 32 || (bits & (bits - 1)) !== 0) throw new CodecError(`a block has indices of ${bits} bits`)
        const place = { x: x * block[0], y: y * block[1], z: z * block[2] }
        const source = { table: first & 0xffffff, values: words[header + 1] as number, bits, labelWords }
        decodeBlock(words, source, place, shape, block, target)
      }
    }
  }
}

interface BlockSource {
  readonly table: number
  readonly values: number
  readonly bits: number
  readonly labelWords: 1 | 2
}

function decodeBlock(
  words: Uint32Array,
  { table, values, bits, labelWords }: BlockSource,
  place: { readonly x: number; readonly y: number; readonly z: number },
  shape: Triple,
  block: Triple,
  target: Uint32Array,
): void {
  const end = [0, 1, 2].map((axis) =>
    Math.min(block[axis] as number, (shape[axis] as number) - [place.x, place.y, place.z][axis]!),
  ) as [number, number, number]
  if (table + labelWords > words.length) throw truncated()
  const [width, height] = shape
  for (let z = 0; z < end[2]; z++) {
    for (let y = 0; y < end[1]; y++) {
      const to = (((place.z + z) * height + place.y + y) * width + place.x) * labelWords
      if (bits === 0) {
        fillRow(target, to, end[0], words, table, labelWords)
        continue
      }
      // Indices of a row at the end of the chunk are those of a complete block.
      const bit = (z * block[1] + y) * block[0] * bits
      if (values + ((bit + end[0] * bits - 1) >>> 5) >= words.length) throw truncated()
      if (!lookUpRow(target, to, end[0], { words, table, values, bits, labelWords }, bit)) throw truncated()
    }
  }
}

/** A row of one label. */
function fillRow(
  target: Uint32Array,
  to: number,
  count: number,
  words: Uint32Array,
  table: number,
  labelWords: 1 | 2,
): void {
  const low = words[table] as number
  if (labelWords === 1) {
    target.fill(low, to, to + count)
    return
  }
  const high = words[table + 1] as number
  for (let i = to; i < to + 2 * count; i += 2) {
    target[i] = low
    target[i + 1] = high
  }
}

/** A row of labels by their indices, the first at `bit`. @returns false if an index is beyond the words */
function lookUpRow(
  target: Uint32Array,
  to: number,
  count: number,
  { words, table, values, bits, labelWords }: BlockSource & { readonly words: Uint32Array },
  bit: number,
): boolean {
  const mask = bits === 32 ? -1 : 2 ** bits - 1
  const { length } = words
  for (let i = 0; i < count; i++, bit += bits) {
    const index = (((words[values + (bit >>> 5)] as number) >>> (bit & 31)) & mask) >>> 0
    const at = table + index * labelWords
    if (at + labelWords > length) return false
    if (labelWords === 1) target[to + i] = words[at] as number
    else {
      target[to + 2 * i] = words[at] as number
      target[to + 2 * i + 1] = words[at + 1] as number
    }
  }
  return true
}
