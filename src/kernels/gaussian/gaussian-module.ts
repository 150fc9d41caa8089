import { aligned, type KernelModule, kernelModule } from '../kernel-module.ts'
import type { TypedArray } from '../voxels.ts'
import type { ByteWeights } from './byte-weights.ts'
import { MODULE_BASE64 } from './gaussian.generated.ts'
import type { WordWeights } from './word-weights.ts'

/** The types that the module filters, by their numbers in gaussian.as. */
const TYPES = [
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
] as const

export type FilterableArray = InstanceType<(typeof TYPES)[number]>

/** One axis to filter in an array of shape (…, length, inner). */
export interface AxisPass {
  readonly length: number
  readonly inner: number
  /** The rows that are wanted, from the first to behind the last one. */
  readonly begin: number
  readonly end: number
  readonly radius: number
  /** radius + 1 weights, that of the centre first. */
  readonly weights: Float64Array
  /**
   * 2 · radius row numbers: the rows whose copies extend the axis before its first and after its last row; -1 stands for
   * `cval`.
   */
  readonly sources: Int32Array
  readonly cval: number
  /** Whether sums may lie outside of the type's range. */
  readonly wide: boolean
  /** For bytes, if `cval` is one: how sums of integers decide them. */
  readonly bytes?: ByteWeights | undefined
  /** For 16-bit integers and int8, if `cval` is one: how sums of float32 decide them. */
  readonly words?: WordWeights | undefined
}

interface Exports extends KernelModule {
  filter(
    type: number,
    data: number,
    outer: number,
    length: number,
    inner: number,
    begin: number,
    end: number,
    radius: number,
    width: number,
    weights: number,
    sources: number,
    tile: number,
    scratch: number,
    cval: number,
    wide: number,
  ): void
  filterBytes(
    data: number,
    outer: number,
    length: number,
    inner: number,
    begin: number,
    end: number,
    radius: number,
    width: number,
    weights: number,
    sources: number,
    tile: number,
    scratch: number,
    cval: number,
    pairs: number,
    flat: number,
    shift: number,
    low: number,
    high: number,
  ): void
  filterWords(
    type: number,
    data: number,
    outer: number,
    length: number,
    inner: number,
    begin: number,
    end: number,
    radius: number,
    width: number,
    weights: number,
    sources: number,
    tile: number,
    scratch: number,
    cval: number,
    floats: number,
    slope: number,
    floor: number,
  ): void
}

/** A tile stays in the second-level cache. */
const TILE_BYTES = 256 * 1024
const MOST_BYTES = 2 ** 30

const module = kernelModule<Exports>(MODULE_BASE64)

const typeNumber = (data: TypedArray): number => TYPES.findIndex((type) => type.name === data[Symbol.toStringTag])

export const isFilterable = (data: TypedArray): data is FilterableArray => typeNumber(data) >= 0

/** Columns of a tile: as many as fit, a multiple of sixteen, since sixteen are filtered at a time. */
function tileWidth({ length, inner, radius, bytes, words }: AxisPass): number {
  const size = bytes !== undefined ? 2 : words !== undefined ? 4 : 8
  const fitting = Math.floor(TILE_BYTES / size / (length + 2 * radius))
  return Math.min(inner, fitting >= 16 ? Math.min(fitting - (fitting % 16), 128) : Math.max(fitting, 1))
}

/** The values for equal taps, one for each byte. */
const FLAT_BYTES = 256

/** A part of an array in the module's memory, and the filter that works on it in place. */
export interface Stage {
  readonly part: FilterableArray
  filter(pass: AxisPass, outer: number): void
}

/**
 * Lays out the module's memory for parts of `data` of up to `count` elements, filtered by any of `passes`, and lends it to `work`.
 * @throws RangeError if an axis is so long that one line of it takes more than a gigabyte
 */
export function withStage(
  data: FilterableArray,
  count: number,
  passes: readonly AxisPass[],
  work: (stage: Stage) => void,
): void {
  const number = typeNumber(data)
  const type = TYPES[number]!
  const reach = Math.max(...passes.map((pass) => pass.radius))
  const tileBytes = Math.max(TILE_BYTES, ...passes.map((pass) => (pass.length + 2 * pass.radius) * 8)) + 16 * 8
  const scratch = 1024
  const weights = scratch + 128
  const sources = weights + aligned((reach + 1) * 8)
  const flat = sources + aligned(reach * 8)
  const pairs = flat + FLAT_BYTES
  // Pairs of bytes' weights, or weights as float32.
  const tile = pairs + aligned((reach + 2) * 4)
  const part = tile + aligned(tileBytes)
  const total = part + count * type.BYTES_PER_ELEMENT
  if (total > MOST_BYTES) {
    throw new RangeError(
      `Filtering an axis of ${Math.max(...passes.map((pass) => pass.length))} elements with a radius of ${reach} needs ${total} bytes at a time, more than ${MOST_BYTES}; cut the volume into blocks with the radius as context.`,
    )
  }

  module.lend(total, ({ memory, filter, filterBytes, filterWords }) => {
    work({
      part: new type(memory.buffer, part, count),
      filter: (pass, outer) => {
        new Float64Array(memory.buffer, weights, pass.radius + 1).set(pass.weights)
        new Int32Array(memory.buffer, sources, 2 * pass.radius).set(pass.sources)
        const { length, inner, begin, end, radius, cval, wide, bytes, words } = pass
        const rows = [outer, length, inner, begin, end, radius] as const
        const width = tileWidth(pass)
        const places = [weights, sources, tile, scratch] as const
        if (bytes !== undefined) {
          const { shift, low, high } = bytes
          new Uint8Array(memory.buffer, flat, FLAT_BYTES).set(bytes.flat)
          new Int32Array(memory.buffer, pairs, bytes.pairs.length).set(bytes.pairs)
          filterBytes(part, ...rows, width, ...places, cval, pairs, flat, shift, low, high)
          return
        }
        if (words !== undefined) {
          new Float32Array(memory.buffer, pairs, radius + 1).set(words.floats)
          const { slope, floor } = words
          filterWords(number, part, ...rows, width, ...places, cval, pairs, slope, floor)
          return
        }
        filter(number, part, ...rows, width, ...places, cval, wide ? 1 : 0)
      },
    })
  })
}
