import { CodecError, checkSize } from './codec.ts'
import { copyMatch } from './lz4-decompress.ts'

// Snappy: the decoded size as a varint, then tags. The lowest two bits of a tag are its kind: literals, or a match with one, two or
// four bytes of distance.

const truncated = () => new CodecError('a Snappy stream is truncated')

/** Decompresses a raw Snappy stream into exactly `output`. @throws CodecError */
export function snappyDecompress(input: Uint8Array, output: Uint8Array): void {
  let from = 0
  const little = (bytes: number): number => {
    if (from + bytes > input.length) throw truncated()
    let value = 0
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (input[from + i] as number)
    from += bytes
    return value
  }
  let size = 0
  for (let shift = 0; ; shift += 7) {
    const byte = little(1)
    size += (byte & 127) * 2 ** shift
    if (byte < 128) break
    if (shift > 28) throw truncated()
  }
  checkSize(size, output.length)
  let to = 0
  while (from < input.length) {
    const tag = little(1)
    const kind = tag & 3
    const upper = tag >> 2
    const length = kind === 1 ? (upper & 7) + 4 : kind === 0 && upper >= 60 ? little(upper - 59) + 1 : upper + 1
    if (to + length > output.length) throw new CodecError(`a Snappy stream decoded to more than ${output.length} bytes`)
    if (kind === 0) {
      if (from + length > input.length) throw truncated()
      output.set(input.subarray(from, from + length), to)
      from += length
    } else {
      const distance = kind === 1 ? (upper >> 3) * 256 + little(1) : little(kind === 2 ? 2 : 4)
      if (distance === 0 || distance > to) throw new CodecError('a Snappy match points before the start of the data')
      copyMatch(output, to, distance, length)
    }
    to += length
  }
  checkSize(to, output.length)
}
