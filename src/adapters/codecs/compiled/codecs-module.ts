import { kernelModule } from '../../../kernels/kernel-module.ts'
import { MODULE_BASE64 } from './codecs.generated.ts'
import { type CodecModule, type Lent, lendModule } from './lend-module.ts'

/** Decodes what is in the module's memory. @returns 1 if the input is a valid stream that fills the output exactly */
type Decompress = (input: number, inputLength: number, output: number, outputLength: number) => number
/** Permutes complete elements. */
type PermuteBytes = (from: number, to: number, size: number, count: number) => void
type PermuteBits = (from: number, to: number, size: number, count: number, room: number) => void

/** The functions of codecs.as. */
export interface Codecs extends CodecModule {
  lz4Decompress: Decompress
  blosclzDecompress: Decompress
  lzfDecompress: Decompress
  lz4Compress(input: number, length: number, output: number, acceleration: number): number
  blosclzCompress(input: number, length: number, output: number): number
  shuffleBytes: PermuteBytes
  unshuffleBytes: PermuteBytes
  shuffleBits: PermuteBits
  unshuffleBits: PermuteBits
}

const module = kernelModule<Codecs>(MODULE_BASE64)

/** The module, its memory, and where in it is each of the places that were asked for. */
export interface LentCodecs extends Lent<Codecs> {
  readonly codecs: Codecs
}

/**
 * Lends the module.
 * @param sizes bytes of each place that is needed, of undefined content
 * @returns undefined if there is no memory for them
 */
export const withCodecs = <Result>(sizes: readonly number[], work: (lent: LentCodecs) => Result): Result | undefined =>
  lendModule(module, sizes, (lent) => work({ ...lent, codecs: lent.exports }))

/** Decompresses in WebAssembly. @returns false, and leaves `output` as it is, for anything but a valid stream of that size */
export function decompresses(
  name: 'lz4Decompress' | 'blosclzDecompress' | 'lzfDecompress',
  input: Uint8Array,
  output: Uint8Array,
): boolean {
  const done = withCodecs([input.length, output.length], ({ codecs, bytes, places }) => {
    const [from, to] = places as [number, number]
    bytes.set(input, from)
    if (codecs[name](from, input.length, to, output.length) === 0) return false
    output.set(bytes.subarray(to, to + output.length))
    return true
  })
  return done === true
}

/**
 * Compresses in WebAssembly.
 * @param bound the most bytes that the result may have
 * @param run returns where the result ends
 * @returns where the result ends in `output`; undefined if there is no memory for it
 */
export function compressInto(
  input: Uint8Array,
  output: Uint8Array,
  at: number,
  bound: number,
  run: (codecs: Codecs, from: number, to: number) => number,
): number | undefined {
  return withCodecs([input.length, bound], ({ codecs, bytes, places }) => {
    const [from, to] = places as [number, number]
    bytes.set(input, from)
    const length = run(codecs, from, to) - to
    output.set(bytes.subarray(to, to + length), at)
    return at + length
  })
}

export type Permutation = 'shuffleBytes' | 'unshuffleBytes' | 'shuffleBits' | 'unshuffleBits'

/**
 * Permutes a block in the module's memory, as the functions in shuffle.ts do.
 * @param room a place of `length` bytes for what is between
 */
export function permuteBlock(
  { codecs, bytes }: LentCodecs,
  permutation: Permutation,
  size: number,
  length: number,
  [from, to, room]: readonly [number, number, number],
): void {
  const count = Math.floor(length / size)
  const isBytes = permutation === 'shuffleBytes' || permutation === 'unshuffleBytes'
  if (isBytes) codecs[permutation](from, to, size, count)
  else if (count % 8 === 0) codecs[permutation](from, to, size, count, room)
  else {
    bytes.copyWithin(to, from, from + length)
    return
  }
  bytes.copyWithin(to + count * size, from + count * size, from + length)
}

/** Permutes a block. @returns false if there is no memory for it */
export function permutes(permutation: Permutation, source: Uint8Array, target: Uint8Array, size: number): boolean {
  const { length } = source
  const done = withCodecs([length, length, length], (lent) => {
    const [from, to] = lent.places as [number, number]
    lent.bytes.set(source, from)
    permuteBlock(lent, permutation, size, length, lent.places as [number, number, number])
    target.set(lent.bytes.subarray(to, to + length))
    return true
  })
  return done === true
}
