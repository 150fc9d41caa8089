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
  const mask = bits === 32 ? 0xffffffff : 2 ** bits - 1
  for (let z = 0; z < end[2]; z++) {
    for (let y = 0; y < end[1]; y++) {
      let to = ((place.z + z) * shape[1] + place.y + y) * shape[0] + place.x
      // Indices of a row at the end of the chunk are those of a complete block.
      let bit = (z * block[1] + y) * block[0] * bits
      for (let x = 0; x < end[0]; x++, to++, bit += bits) {
        let index = 0
        if (bits > 0) {
          const word = words[values + (bit >>> 5)]
          if (word === undefined) throw truncated()
          index = ((word >>> (bit & 31)) & mask) >>> 0
        }
        const at = table + index * labelWords
        if (at + labelWords > words.length) throw truncated()
        for (let word = 0; word < labelWords; word++) target[to * labelWords + word] = words[at + word] as number
      }
    }
  }
}
