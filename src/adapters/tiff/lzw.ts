import { CodecError } from '../codecs/codec.ts'

const CLEAR = 256
const END = 257
const MOST_CODES = 4096

/**
 * TIFF's LZW, codes from the highest bit on, one code earlier than GIF's.
 * @param into gets the decoded bytes; more than fit are left out
 * @returns how many there were
 * @throws CodecError
 */
export function decodeLzw(data: Uint8Array, into: Uint8Array): number {
  // Each code is an earlier stretch of the output, and one byte more.
  const starts = new Int32Array(MOST_CODES)
  const lengths = new Int32Array(MOST_CODES)
  let next = 258
  let width = 9
  let previous = -1
  let written = 0
  let previousStart = 0
  let bits = 0
  let count = 0
  for (let at = 0; written < into.length; ) {
    while (count < width) {
      if (at >= data.length) return written
      bits = ((bits << 8) | (data[at++] as number)) & 0xffffff
      count += 8
    }
    count -= width
    const code = (bits >> count) & ((1 << width) - 1)
    if (code === END) return written
    if (code === CLEAR) {
      next = 258
      width = 9
      previous = -1
      continue
    }
    const start = written
    if (code < 256) into[written++] = code
    else if (code < next) {
      const from = starts[code] as number
      const length = lengths[code] as number
      for (let i = 0; i < length && written < into.length; i++) into[written++] = into[from + i] as number
    } else if (code === next && previous >= 0) {
      const length = previous < 256 ? 1 : (lengths[previous] as number)
      for (let i = 0; i <= length && written < into.length; i++) into[written++] = into[previousStart + i] as number
    } else throw new CodecError(`its LZW stream contains the code ${code} before it is defined`)
    if (previous >= 0 && next < MOST_CODES) {
      starts[next] = previousStart
      lengths[next] = (previous < 256 ? 1 : (lengths[previous] as number)) + 1
      next++
    }
    // A writer widens its codes one code before they need it.
    if (next + 1 >= 1 << width && width < 12) width++
    previous = code
    previousStart = start
  }
  return written
}
