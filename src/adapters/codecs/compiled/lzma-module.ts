import { kernelModule } from '../../../kernels/kernel-module.ts'
import { type CodecModule, lendModule } from './lend-module.ts'
import { MODULE_BASE64 } from './lzma.generated.ts'

interface Lzma extends CodecModule {
  readUpTo(): number
  decodeLzma2(input: number, inputLength: number, output: number, outputLength: number, work: number): number
  decodeLzma(
    input: number,
    inputLength: number,
    output: number,
    outputLength: number,
    properties: number,
    isMarked: number,
    work: number,
  ): number
  crc64(from: number, length: number): bigint
}

const module = kernelModule<Lzma>(MODULE_BASE64)

/** What was decoded, and how many bytes of the input it took. */
export interface Unpacked {
  readonly bytes: Uint8Array
  readonly used: number
}

/** The model without literals, and literals with few contexts. */
const LZMA2_WORK = 32 * 1024
const MODEL_BYTES = 8 * 1024
const MOST_PROPERTIES = 9 * 5 * 5

/**
 * Decodes chunks of LZMA2 up to their end in WebAssembly.
 * @param most bytes that they may decode to
 * @returns undefined for anything but valid chunks that do not decode to more, and if there is no memory for it
 */
export const unpackLzma2 = (input: Uint8Array, most: number): Unpacked | undefined =>
  lendModule(module, [input.length, most, LZMA2_WORK], ({ exports, bytes, places }) => {
    const [from, to, work] = places as [number, number, number]
    bytes.set(input, from)
    const length = exports.decodeLzma2(from, input.length, to, most, work)
    return length < 0 ? undefined : { bytes: bytes.slice(to, to + length), used: exports.readUpTo() - from }
  })

/**
 * Decodes LZMA without a container in WebAssembly.
 * @param size bytes that it decodes to, or at most, if a mark in the stream says where it ends
 * @returns as `unpackLzma2`
 */
export function unpackLzma(
  input: Uint8Array,
  properties: number,
  size: number,
  isMarked: boolean,
): Unpacked | undefined {
  if (properties >= MOST_PROPERTIES) return undefined
  const literalBits = (properties % 9) + (Math.floor(properties / 9) % 5)
  const sizes = [input.length, size, MODEL_BYTES + 2 * (0x300 << literalBits)]
  return lendModule(module, sizes, ({ exports, bytes, places }) => {
    const [from, to, work] = places as [number, number, number]
    bytes.set(input, from)
    const length = exports.decodeLzma(from, input.length, to, size, properties, isMarked ? 1 : 0, work)
    return length < 0 ? undefined : { bytes: bytes.slice(to, to + length), used: exports.readUpTo() - from }
  })
}

/** The CRC-64 of ECMA-182, reflected, as xz has it; undefined if there is no memory for it. */
export const sumCrc64 = (data: Uint8Array): bigint | undefined =>
  lendModule(module, [data.length], ({ exports, bytes, places: [from = 0] }) => {
    bytes.set(data, from)
    return BigInt.asUintN(64, exports.crc64(from, data.length))
  })
