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
import { assertRank, blockOfChunks, inVoxels, inWorld, regionOf } from './block-shapes.ts'
import { rowsArray, writeRow } from './rows.ts'

const reduceConfig = z.object({
  input: z.string().describe('dataset to look at'),
  output: z.string().describe("Zarr group that keeps each block's part of the result"),
  bins: z.number().int().min(1).max(65_536).optional().describe('bins of the histogram (default: no histogram)'),
  range: z
    .tuple([z.number(), z.number()])
    .optional()
    .describe('of the histogram: low,high (default: what the type holds, for integers of 8 and 16 bits)'),
  roi: z.string().optional().describe('look at this region alone: offset:shape in nm'),
  block: z
    .array(z.number().int().positive())
    .min(1)
    .optional()
    .describe('voxels of a block (default: about 128 a side)'),
})

/** What {@link reduce} is given. */
export interface ReduceConfig {
  /** Dataset to look at. */
  readonly input: string
  /** Zarr group that keeps each block's part of the result. */
  readonly output: string
  /** Bins of the histogram. @default no histogram */
  readonly bins?: number | undefined
  /** Of the histogram. @default what the type holds, for bool and integers of 8 and 16 bits */
  readonly range?: [low: number, high: number] | undefined
  /** Look at this region alone: `offset:shape` in nm. @default all of it */
  readonly roi?: string | undefined
  /** Voxels of a block. @default about 128 a side */
  readonly block?: number[] | undefined
}
type Config = z.output<typeof reduceConfig>

/** What {@link readReduction} gives. Of infinities, the mean is infinite or NaN, and the deviation NaN. */
export interface Reduction {
  /** Voxels, channels counted each, that are not NaN. */
  readonly count: number
  readonly nan: number
  /** Voxels that are neither NaN nor 0. */
  readonly nonzero: number
  /** Exact: `bigint` for 64-bit integers. Undefined, as is what follows, where every voxel is NaN. */
  readonly min: number | bigint | undefined
  readonly max: number | bigint | undefined
  readonly mean: number | undefined
  /** Standard deviation of the population. */
  readonly std: number | undefined
  /** Where `bins` were asked for: `edges` is one longer than `counts`; the last bin holds its upper end, too. */
  readonly histogram?: { readonly edges: readonly number[]; readonly counts: readonly number[] }
}

/** Entries of a row before its histogram. */
const MOMENTS = 5

const partsOf = (output: string) => ({ moments: `${output}/moments`, extremes: `${output}/extremes` })

/**
 * Counts, extremes, mean, standard deviation and histogram of a volume: a row per block, so that a run that goes on does only
 * what is missing. {@link readReduction} puts the rows together.
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
    return async ({ index, readRoi }, { signal }) => {
      const { data } = await input.read(readRoi, { signal })
      const { count, nan, nonzero, mean, squares, min, max, histogram } = voxelStatistics(data, bins)
      const ends = typedArray(input.dtype, 2)
      if (min !== undefined && max !== undefined) for (const [i, end] of [min, max].entries()) ends[i] = end as never
      await writeRow(extremeRows, index, ends, signal)
      await writeRow(momentRows, index, Float64Array.of(count, nan, nonzero, mean, squares, ...histogram), signal)
    }
  },
})

export default reduce

/** Puts together what the blocks of a finished {@link reduce} have left. @throws ConfigError of `openArray`; `INVALID_CONFIG` */
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

/** The bins of a histogram, if one was asked for. @throws ConfigError `INVALID_CONFIG` */
function binsOf({ bins, range }: Pick<Config, 'bins' | 'range'>, { path, dtype }: VolumeDescription): Bins | undefined {
  if (bins === undefined) {
    if (range === undefined) return undefined
    throw new ConfigError('INVALID_CONFIG', `"range" is ${range.join(',')}, but "bins" is missing: how many?`)
  }
  const [low, high] = range ?? RANGES[dtype] ?? []
  if (low === undefined || high === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The range of the histogram is missing: ${path} holds ${dtype}, whose values may lie anywhere; give "range", low,high. Without "bins", the smallest and the largest value are found.`,
    )
  }
  if (low < high) return { count: bins, low, high }
  throw new ConfigError('INVALID_CONFIG', `"range" is ${low},${high}; its end must be above its begin.`)
}

/** All that a type holds, one bin per value if there are as many bins. */
const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  bool: [0, 2],
  int8: [-(2 ** 7), 2 ** 7],
  uint8: [0, 2 ** 8],
  int16: [-(2 ** 15), 2 ** 15],
  uint16: [0, 2 ** 16],
}
