import { aligned, hasWebAssembly, type KernelModule, type SharedModule } from '../../../kernels/kernel-module.ts'

/** What the modules of this folder export. */
export interface CodecModule extends KernelModule {
  /** Where the memory begins that is not the module's own. */
  heapStart(): number
}

/** At least what a module's own tables take. */
const RESERVED = 2 ** 18
/** What is read and written beyond the end of anything, whose content decides nothing. */
const BEYOND = 64
/** A module's memory has at most 4 GB, and is not kept if it is large. */
const MOST_BYTES = 2 ** 29

/** A module, its memory, and where in it is each of the places that were asked for. */
export interface Lent<Exports> {
  readonly exports: Exports
  readonly bytes: Uint8Array
  readonly places: readonly number[]
}

/**
 * Lends a module.
 * @param sizes bytes of each place that is needed, of undefined content
 * @returns undefined if there is no memory for them, and without WebAssembly
 */
export function lendModule<Exports extends CodecModule, Result>(
  module: SharedModule<Exports>,
  sizes: readonly number[],
  work: (lent: Lent<Exports>) => Result,
): Result | undefined {
  let total = RESERVED
  for (const size of sizes) total += aligned(size) + BEYOND
  if (total > MOST_BYTES || !hasWebAssembly()) return undefined
  return module.lend(total, (exports) => {
    let next = aligned(exports.heapStart())
    const places = sizes.map((size) => {
      const place = next
      next += aligned(size) + BEYOND
      return place
    })
    return work({ exports, bytes: new Uint8Array(exports.memory.buffer), places })
  })
}
