import { kernelModule } from '../../../kernels/kernel-module.ts'
import { MODULE_BASE64 } from './bzip2.generated.ts'
import { type CodecModule, lendModule } from './lend-module.ts'

interface Bzip2 extends CodecModule {
  decodeBzip2(input: number, inputLength: number, output: number, outputLength: number, block: number): number
}

const module = kernelModule<Bzip2>(MODULE_BASE64)

/** For the symbols of the largest block. */
const BLOCK_BYTES = 4 * 900_000

/**
 * Decodes bzip2 in WebAssembly.
 * @param most bytes that it may decode to
 * @returns undefined for anything but valid streams that do not decode to more, and if there is no memory for it
 */
export const unpackBzip2 = (input: Uint8Array, most: number): Uint8Array | undefined =>
  lendModule(module, [input.length, most, BLOCK_BYTES], ({ exports, bytes, places }) => {
    const [from, to, block] = places as [number, number, number]
    bytes.set(input, from)
    const length = exports.decodeBzip2(from, input.length, to, most, block)
    return length < 0 ? undefined : bytes.slice(to, to + length)
  })
