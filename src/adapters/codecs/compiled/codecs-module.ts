import { aligned, type KernelModule, kernelModule } from '../../../kernels/kernel-module.ts'
import { MODULE_BASE64 } from './codecs.generated.ts'

/** Decodes what is in the module's memory. @returns 1 if the input is a valid stream that fills the output exactly */
type Decompress = (input: number, inputLength: number, output: number, outputLength: number) => number
/** Permutes complete elements. */
type PermuteBytes = (from: number, to: number, size: number, count: number) => void
type PermuteBits = (from: number, to: number, size: number, count: number, room: number) => void

/** The functions of codecs.as. */
export interface Codecs extends KernelModule {
  heapStart(): number
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

/** At least what the module's own tables take. */
const RESERVED = 2 ** 18
/** What vectors read and write beyond the end of anything. */
const BEYOND = 64
/** The module's memory has at most 4 GB, and is not kept if it is large. */
const MOST_BYTES = 2 ** 29

/** The module, its memory, and where in it is each of the places that were asked for. */
export interface LentCodecs {
  readonly codecs: Codecs
  readonly bytes: Uint8Array
  readonly places: readonly number[]
}

/**
 * Lends the module.
 * @param sizes bytes of each place that is needed, of undefined content
 * @returns undefined if there is no memory for them
 */
export function withCodecs<Result>(sizes: readonly number[], work: (lent: LentCodecs) => Result): Result | undefined {
  let total = RESERVED
  for (const size of sizes) total += aligned(size) + BEYOND
  if (total > MOST_BYTES) return undefined
  return module.lend(total, (codecs) => {
    let next = aligned(codecs.heapStart())
    const places = sizes.map((size) => {
      const place = next
      next += aligned(size) + BEYOND
      return place
    })
    return work({ codecs, bytes: new Uint8Array(codecs.memory.buffer), places })
  })
}

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
