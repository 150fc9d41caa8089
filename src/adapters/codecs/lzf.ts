import { CodecError, checkSize, type DecodedSize } from './codec.ts'
import { decompresses } from './compiled/codecs-module.ts'
import { copyMatch } from './lz4-decompress.ts'

// LZF: a control byte below 32 announces that many literals plus one; otherwise its upper three bits are a match length − 2 (7: one
// more byte is added) and its lower five the high bits of a distance − 1, whose low byte follows.

/** How many bytes a stream decodes to, which it does not say itself. */
function decodedSize(input: Uint8Array): number {
  let size = 0
  for (let from = 0; from < input.length; ) {
    const control = input[from++] as number
    if (control < 32) {
      size += control + 1
      from += control + 1
      continue
    }
    const length = control >> 5
    size += 2 + length + (length === 7 ? (input[from++] ?? 0) : 0)
    from++
  }
  return size
}

/** @throws CodecError */
export function decodeLzf(input: Uint8Array, size: DecodedSize, into?: Uint8Array): Uint8Array {
  const wanted = decodedSize(input)
  checkSize(wanted, size)
  const output = into?.subarray(0, wanted) ?? new Uint8Array(wanted)
  if (!decompresses('lzfDecompress', input, output)) plainLzfDecompress(input, output)
  return output
}

/** What codecs.as does, in TypeScript: for streams that are too large for the module, and to say what is wrong with one. */
export function plainLzfDecompress(input: Uint8Array, output: Uint8Array): void {
  const truncated = () => new CodecError('an LZF stream is truncated')
  let to = 0
  for (let from = 0; from < input.length; ) {
    const control = input[from++] as number
    if (control < 32) {
      const end = from + control + 1
      if (end > input.length || to + control + 1 > output.length) throw truncated()
      output.set(input.subarray(from, end), to)
      to += control + 1
      from = end
      continue
    }
    let length = control >> 5
    if (length === 7) length += input[from++] ?? 0
    if (from >= input.length) throw truncated()
    const distance = ((control & 31) << 8) + (input[from++] as number) + 1
    if (distance > to) throw new CodecError('an LZF match points before the start of the data')
    if (to + length + 2 > output.length) throw truncated()
    copyMatch(output, to, distance, length + 2)
    to += length + 2
  }
  checkSize(to, output.length)
}
