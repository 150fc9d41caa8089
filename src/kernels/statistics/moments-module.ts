import { aligned, type KernelModule, kernelModule } from '../kernel-module.ts'
import type { TypedArray } from '../voxels.ts'
import { type Bins, binEdges } from './bins.ts'
import { MODULE_BASE64 } from './moments.generated.ts'
import type { VoxelStatistics } from './voxel-statistics.ts'

interface Exports extends KernelModule {
  addValues(
    type: number,
    data: number,
    count: number,
    state: number,
    bins: number,
    low: number,
    high: number,
    edges: number,
    histogram: number,
  ): void
  addDeviations(type: number, data: number, count: number, state: number, mean: number): void
}

/** The types that the module knows, by their numbers in moments.as. */
const TYPES = ['Int32', 'Uint32', 'BigInt64', 'BigUint64', 'Float32', 'Float64']
const typeNumber = (data: TypedArray): number => TYPES.findIndex((name) => data[Symbol.toStringTag] === `${name}Array`)

const module = kernelModule<Exports>(MODULE_BASE64)

/** Values that are in the module's memory at a time. */
const PART = 2 ** 15
const STATE = 1024
const NO_BINS: Bins = { count: 0, low: 1, high: 0 }

/** Whether {@link momentsOf} computes these statistics. */
export const hasMoments = (data: TypedArray, bins: Bins | undefined): boolean =>
  typeNumber(data) >= 0 && (bins === undefined || (bins.high > bins.low && Number.isFinite(bins.high - bins.low)))

/** What `plainStatistics` computes, in WebAssembly. */
export function momentsOf(data: TypedArray, bins: Bins | undefined): VoxelStatistics {
  const type = typeNumber(data)
  const { count: binCount, low, high } = bins ?? NO_BINS
  const edges = STATE + 64
  const histogram = edges + 8 * (binCount + 1)
  const part = aligned(histogram + 8 * binCount)
  return module.lend(part + 8 * PART, ({ memory, addValues, addDeviations }) => {
    const state = new Float64Array(memory.buffer, STATE, 6)
    state.set([0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0])
    const extremes = extremesIn(memory.buffer, data)
    extremes?.fill((data as BigInt64Array)[0] ?? 0n)
    const counts = new Float64Array(memory.buffer, histogram, binCount).fill(0)
    if (bins !== undefined) new Float64Array(memory.buffer, edges, binCount + 1).set(binEdges(bins))
    const eachPart = (use: (count: number) => void): void => {
      for (let at = 0; at < data.length; at += PART) {
        const some = data.subarray(at, at + PART)
        const bytes = new Uint8Array(some.buffer, some.byteOffset, some.byteLength)
        new Uint8Array(memory.buffer, part, bytes.length).set(bytes)
        use(some.length)
      }
    }
    eachPart((count) => addValues(type, part, count, STATE, binCount, low, high, edges, histogram))
    const [nan, nonzero, sum, least, most] = state as unknown as [number, number, number, number, number]
    const count = data.length - nan
    const mean = count === 0 ? 0 : sum / count
    eachPart((some) => addDeviations(type, part, some, STATE, mean))
    const [min, max] = count === 0 ? [undefined, undefined] : (extremes ?? [least, most])
    return { count, nan, nonzero, min, max, mean, squares: state[5] as number, histogram: counts.slice() }
  })
}

const extremesIn = (buffer: ArrayBuffer, data: TypedArray): BigInt64Array | BigUint64Array | undefined =>
  data instanceof BigInt64Array
    ? new BigInt64Array(buffer, STATE + 48, 2)
    : data instanceof BigUint64Array
      ? new BigUint64Array(buffer, STATE + 48, 2)
      : undefined
