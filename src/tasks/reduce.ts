import {
  ConfigError,
  createBlockGrid,
  type DType,
  defineTask,
  openArray,
  roi,
  type TypedArray,
  typedArray,
  type VolumeDescription,
  z,
} from '../entry/index.ts'
import { type Bins, binEdges, mergeStatistics, type VoxelStatistics, voxelStatistics } from '../entry/kernels.ts'
import { assertRank, blockOfChunks, bytesOf, inVoxels, inWorld, regionOf } from './block-shapes.ts'
import { rowsArray, writeRow } from './rows.ts'
import { Scratch } from './scratch.ts'

const reduceConfig = z.object({
  input: z.string().describe('dataset to summarize'),
  output: z.string().describe('Zarr group for the partial result of each block'),
  bins: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .optional()
    .describe('number of bins of the histogram (default: no histogram)'),
  range: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe(
      'range of the histogram: low,high (default: the range of the type, for bool and integers of 8 and 16 bits)',
    ),
  roi: z
    .string()
    .optional()
    .describe('only this region: offset:shape in nm, or a slice in voxels such as 0:20,100:200,100:200'),
  block: z
    .array(z.number().int().positive())
    .min(1)
    .optional()
    .describe('block shape, voxels (default: about 128 per axis)'),
})

/** Options of {@link reduce}. */
export interface ReduceConfig {
  /** Dataset to summarize. */
  readonly input: string
  /** Zarr group for the partial result of each block. */
  readonly output: string
  /** Number of bins of the histogram. @default no histogram */
  readonly bins?: number | undefined
  /** Range of the histogram. @default the range of the type, for bool and integers of 8 and 16 bits */
  readonly range?: [low: number, high: number] | undefined
  /** Only this region: `offset:shape` in nm, or a slice in voxels. @default the complete dataset */
  readonly roi?: string | undefined
  /** Block shape, voxels. @default about 128 per axis */
  readonly block?: number[] | undefined
}
type Config = z.output<typeof reduceConfig>

/** The result of {@link readReduction}. With infinite values, the mean is infinite or NaN, and the standard deviation is NaN. */
export interface Reduction {
  /** Voxels that are not NaN, each channel counted. */
  readonly count: number
  readonly nan: number
  /** Voxels that are neither NaN nor 0. */
  readonly nonzero: number
  /** Exact: `bigint` for 64-bit integers. Undefined if every voxel is NaN, as are `max`, `mean` and `std`. */
  readonly min: number | bigint | undefined
  readonly max: number | bigint | undefined
  readonly mean: number | undefined
  /** Population standard deviation. */
  readonly std: number | undefined
  /** With `bins`: `edges` has one entry more than `counts`; the last bin includes its upper edge. */
  readonly histogram?: { readonly edges: readonly number[]; readonly counts: readonly number[] }
}

/** Entries of a row before the histogram. */
const MOMENTS = 5

const partsOf = (output: string) => ({ moments: `${output}/moments`, extremes: `${output}/extremes` })

/**
 * Computes counts, extremes, mean, standard deviation and histogram of a volume: a row per block, so that a run that is
 * continued processes only the missing blocks. {@link readReduction} merges the rows.
 */
export const reduce = defineTask({
  name: 'reduce',
  config: reduceConfig,
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const region = regionOf(input, config.roi)
    if (config.block !== undefined) assertRank('block', config.block, input)
    const voxels = inVoxels(input, region.shape)
    const step = input.chunkShape
      .slice(input.channelAxes)
      .map((length, axis) => Math.min(length, voxels[axis] as number))
    const block = roi(region.offset, inWorld(input, config.block ?? blockOfChunks(voxels, step, 128)))
    const blocks = {
      totalRoi: region,
      readRoi: block,
      writeRoi: block,
      fit: 'shrink',
      readWriteConflict: false,
      // Its parts are kept by the number of the block.
      growable: false,
      memory: bytesOf(input, inVoxels(input, block.shape)),
    } as const
    const { blockCount } = createBlockGrid(blocks)
    const length = MOMENTS + (binsOf(config, input)?.count ?? 0)
    const { moments, extremes } = partsOf(config.output)
    await arrays.create(moments, rowsArray('float64', blockCount, length, length))
    await arrays.create(extremes, rowsArray(input.dtype, blockCount, 2, 2))
    return blocks
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const bins = binsOf(config, input)
    const { moments, extremes } = partsOf(config.output)
    const momentRows = await arrays.open(moments, { mode: 'r+' })
    const extremeRows = await arrays.open(extremes, { mode: 'r+' })
    const scratch = new Scratch()
    return async ({ index, readRoi }, { signal }) => {
      using voxels = await scratch.read(input, readRoi, signal)
      const { count, nan, nonzero, mean, squares, min, max, histogram } = voxelStatistics(voxels.data, bins)
      const ends = typedArray(input.dtype, 2)
      if (min !== undefined && max !== undefined) for (const [i, end] of [min, max].entries()) ends[i] = end as never
      await writeRow(extremeRows, index, ends, signal)
      await writeRow(momentRows, index, Float64Array.of(count, nan, nonzero, mean, squares, ...histogram), signal)
    }
  },
})

export default reduce

/** Merges the rows of a finished {@link reduce}. @throws ConfigError of `openArray`; `INVALID_CONFIG` */
export async function readReduction(config: ReduceConfig): Promise<Reduction> {
  await using input = await openArray(config.input)
  const { moments, extremes } = partsOf(config.output)
  await using momentRows = await openArray(moments)
  await using extremeRows = await openArray(extremes)
  const bins = binsOf(config, input)
  const length = MOMENTS + (bins?.count ?? 0)
  let all = voxelStatistics(typedArray(input.dtype, 0), bins)
  const [blocks = 0] = momentRows.shape
  const atOnce = Math.max(1, Math.floor(2 ** 20 / length))
  for (let from = 0; from < blocks; from += atOnce) {
    const rows = Math.min(atOnce, blocks - from)
    const read = await momentRows.read(roi([from, 0], [rows, length]))
    const ends = await extremeRows.read(roi([from, 0], [rows, 2]))
    for (let row = 0; row < rows; row++) {
      const entries = (read.data as Float64Array).subarray(row * length, (row + 1) * length)
      all = mergeStatistics(all, statisticsOf(entries, ends.data, row))
    }
  }
  const { count, nan, nonzero, min, max, mean, squares, histogram } = all
  const isEmpty = count === 0
  return {
    count,
    nan,
    nonzero,
    min,
    max,
    mean: isEmpty ? undefined : mean,
    std: isEmpty ? undefined : Math.sqrt(squares / count),
    ...(bins === undefined ? {} : { histogram: { edges: [...binEdges(bins)], counts: [...histogram] } }),
  }
}

function statisticsOf(row: Float64Array, ends: TypedArray, index: number): VoxelStatistics {
  const [count = 0, nan = 0, nonzero = 0, mean = 0, squares = 0] = row
  const [min, max] = count === 0 ? [] : [ends[2 * index], ends[2 * index + 1]]
  return { count, nan, nonzero, min, max, mean, squares, histogram: row.subarray(MOMENTS) }
}

/** The bins of the histogram, if one is requested. @throws ConfigError `INVALID_CONFIG` */
function binsOf({ bins, range }: Pick<Config, 'bins' | 'range'>, { path, dtype }: VolumeDescription): Bins | undefined {
  if (bins === undefined) {
    if (range === undefined) return undefined
    throw new ConfigError(
      'INVALID_CONFIG',
      `"range" is ${range.join(',')}, but "bins" is missing; "range" also needs "bins".`,
    )
  }
  const [low, high] = range ?? RANGES[dtype] ?? []
  if (low === undefined || high === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `"range" is missing: ${path} is ${dtype}, which has no default range for a histogram; give "range" as low,high. Without "bins", the run finds the smallest and the largest value.`,
    )
  }
  if (low < high) return { count: bins, low, high }
  throw new ConfigError('INVALID_CONFIG', `"range" is ${low},${high}; the upper bound must exceed the lower.`)
}

/** The ranges of small types; with as many bins as values, each value has its own bin. */
const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  bool: [0, 2],
  int8: [-(2 ** 7), 2 ** 7],
  uint8: [0, 2 ** 8],
  int16: [-(2 ** 15), 2 ** 15],
  uint16: [0, 2 ** 16],
}
