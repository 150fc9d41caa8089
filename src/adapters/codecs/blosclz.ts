import { CodecError, checkSize } from './codec.ts'
import { compressInto, decompresses } from './compiled/codecs-module.ts'
import { copyMatch } from './lz4-decompress.ts'

// BloscLZ, derived from FastLZ: a control byte below 32 announces that many literals plus one; otherwise its upper three
// bits are a match length − 2 (7: 255-runs follow) and its lower five the high bits of a distance − 1, whose low byte
// follows. 31 and 255 there announce a distance beyond 8191 in two more bytes. The upper bits of the first one are ignored.
const MAX_NEAR = 8191
const MAX_FAR = 65_535 + MAX_NEAR - 1
const MAX_LITERALS = 32
const HASH_BITS = 14

/** The most that {@link blosclzCompress} writes for `length` bytes. */
export const blosclzBound = (length: number): number => length + Math.ceil(length / MAX_LITERALS) + 64

/** @returns where the stream ends in `output` */
export function blosclzCompress(input: Uint8Array, output: Uint8Array, at: number): number {
  const end = compressInto(input, output, at, blosclzBound(input.length), (codecs, from, to) =>
    codecs.blosclzCompress(from, input.length, to),
  )
  return end ?? plainBlosclzCompress(input, output, at)
}

/** What codecs.as does, in TypeScript: for streams that are too large for the module. */
export function plainBlosclzCompress(input: Uint8Array, output: Uint8Array, at: number): number {
  const view = new DataView(input.buffer, input.byteOffset, input.length)
  const heads = new Int32Array(1 << HASH_BITS).fill(-1)
  // The reference decoder reads ahead of a match: like the reference encoder, end with a dozen literals.
  const end = input.length - 13
  let anchor = 0
  let misses = 64
  // Decoders mask the upper bits of the first byte, so a stream can't start with a match.
  let position = 1
  while (position < end) {
    const word = view.getInt32(position, true)
    const hash = Math.imul(word, 0x9e3779b1 | 0) >>> (32 - HASH_BITS)
    const match = heads[hash] as number
    heads[hash] = position
    const distance = position - match
    if (match < 0 || distance > MAX_FAR || view.getInt32(match, true) !== word) {
      position += misses++ >> 6
      continue
    }
    let length = 4
    while (position + length < end && input[position + length] === input[match + length]) length++
    // A far match costs two bytes more than a near one.
    if (distance > MAX_NEAR && length < 6) {
      position++
      continue
    }
    misses = 64
    at = writeLiterals(input, output, at, anchor, position)
    at = writeMatch(output, at, distance, length)
    position += length
    anchor = position
  }
  return writeLiterals(input, output, at, anchor, input.length)
}

function writeLiterals(input: Uint8Array, output: Uint8Array, at: number, from: number, to: number): number {
  while (from < to) {
    const count = Math.min(MAX_LITERALS, to - from)
    output[at++] = count - 1
    for (let i = 0; i < count; i++) output[at++] = input[from++] as number
  }
  return at
}

function writeMatch(output: Uint8Array, at: number, distance: number, length: number): number {
  const isFar = distance > MAX_NEAR
  const near = isFar ? MAX_NEAR : distance - 1
  let rest = length - 2
  if (rest < 7) {
    output[at++] = (rest << 5) | (near >> 8)
  } else {
    output[at++] = (7 << 5) | (near >> 8)
    for (rest -= 7; rest >= 255; rest -= 255) output[at++] = 255
    output[at++] = rest
  }
  output[at++] = near & 255
  if (isFar) {
    const far = distance - 1 - MAX_NEAR
    output[at++] = far >> 8
    output[at++] = far & 255
  }
  return at
}

/**
 * Decompresses a BloscLZ stream into exactly `output`.
 * @throws CodecError
 */
export function blosclzDecompress(input: Uint8Array, output: Uint8Array): void {
  if (!decompresses('blosclzDecompress', input, output)) plainBlosclzDecompress(input, output)
}

/** What codecs.as does, in TypeScript: for streams that are too large for the module, and to say what is wrong with one. */
export function plainBlosclzDecompress(input: Uint8Array, output: Uint8Array): void {
  let from = 0
  let to = 0
  const next = () => {
    if (from >= input.length) throw new CodecError('a BloscLZ stream is truncated')
    return input[from++] as number
  }
  let control = next() & 31
  for (;;) {
    if (control < 32) {
      const count = control + 1
      if (from + count > input.length) throw new CodecError('a BloscLZ stream is truncated')
      if (to + count > output.length) throw tooLong(output.length)
      for (let i = 0; i < count; i++) output[to++] = input[from++] as number
    } else {
      let length = (control >> 5) + 2
      if (length === 9) {
        let more: number
        do {
          more = next()
          length += more
        } while (more === 255)
      }
      let near = ((control & 31) << 8) | next()
      if (near === MAX_NEAR) near += (next() << 8) | next()
      const distance = near + 1
      if (distance > to) throw new CodecError('a BloscLZ match points before the start of the data')
      if (to + length > output.length) throw tooLong(output.length)
      copyMatch(output, to, distance, length)
      to += length
    }
    if (from >= input.length) break
    control = next()
  }
  checkSize(to, output.length)
}

const tooLong = (size: number) =>
  new CodecError(`a BloscLZ stream decoded to more than ${size} bytes, expected ${size}`)
