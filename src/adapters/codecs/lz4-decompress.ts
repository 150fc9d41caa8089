import { CodecError, checkSize } from './codec.ts'
import { decompresses } from './compiled/codecs-module.ts'

// The LZ4 block format: sequences of a token (4 bits literal length, 4 bits match length − 4), literals, and a 2-byte
// distance; 255-runs extend a length of 15. The last sequence has literals only.
export const MIN_MATCH = 4

/** From this length on, one call to copy the bytes costs less than a loop. */
const LONG_COPY = 96

/**
 * Decompresses one LZ4 block into exactly `output`.
 * @throws CodecError for a block that is truncated, points before its start, or has another size
 */
export function lz4Decompress(input: Uint8Array, output: Uint8Array): void {
  if (!decompresses('lz4Decompress', input, output)) plainLz4Decompress(input, output)
}

/** What codecs.as does, in TypeScript: for blocks that are too large for the module, and to say what is wrong with one. */
export function plainLz4Decompress(input: Uint8Array, output: Uint8Array): void {
  const inputEnd = input.length
  const outputEnd = output.length
  const source = new DataView(input.buffer, input.byteOffset, inputEnd)
  const target = new DataView(output.buffer, output.byteOffset, outputEnd)
  let from = 0
  let to = 0
  while (from < inputEnd) {
    const token = input[from++] as number
    let count = token >> 4
    if (count === 15) {
      let more: number
      do {
        if (from >= inputEnd) throw truncated()
        more = input[from++] as number
        count += more
      } while (more === 255)
    }
    if (from + count > inputEnd) throw truncated()
    if (to + count > outputEnd) throw tooLong(outputEnd)
    if (count > LONG_COPY) {
      output.set(input.subarray(from, from + count), to)
    } else if (from + count + 3 <= inputEnd && to + count + 3 <= outputEnd) {
      // Copies complete words, up to three bytes too many; later output overwrites those.
      for (let i = 0; i < count; i += 4) target.setInt32(to + i, source.getInt32(from + i, true), true)
    } else {
      for (let i = 0; i < count; i++) output[to + i] = input[from + i] as number
    }
    from += count
    to += count
    if (from === inputEnd) break

    if (from + 2 > inputEnd) throw truncated()
    const distance = (input[from] as number) | ((input[from + 1] as number) << 8)
    from += 2
    let length = token & 15
    if (length === 15) {
      let more: number
      do {
        if (from >= inputEnd) throw truncated()
        more = input[from++] as number
        length += more
      } while (more === 255)
    }
    length += MIN_MATCH
    if (distance === 0 || distance > to) throw new CodecError('an LZ4 match points before the start of the data')
    if (to + length > outputEnd) throw tooLong(outputEnd)
    if (distance >= 4 && length <= LONG_COPY && to + length + 3 <= outputEnd) {
      for (let i = 0; i < length; i += 4) target.setInt32(to + i, target.getInt32(to - distance + i, true), true)
    } else {
      copyMatch(output, to, distance, length)
    }
    to += length
  }
  checkSize(to, outputEnd)
}

/** Repeats what lies `distance` bytes back; the two may overlap, which repeats a pattern. */
export function copyMatch(output: Uint8Array, to: number, distance: number, length: number): void {
  if (distance >= length && length > LONG_COPY) output.copyWithin(to, to - distance, to - distance + length)
  else if (distance === 1 && length > LONG_COPY) output.fill(output[to - 1] as number, to, to + length)
  else for (const end = to + length; to < end; to++) output[to] = output[to - distance] as number
}

export const truncated = () => new CodecError('an LZ4 stream is truncated')
const tooLong = (size: number) => new CodecError(`an LZ4 stream decoded to more than ${size} bytes, expected ${size}`)
