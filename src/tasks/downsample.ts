import {
  ConfigError,
  countElements,
  defineTask,
  intersectRoi,
  openArray,
  pasteInto,
  type Roi,
  roi,
  type TaskNode,
  type VolumeDescription,
  type Voxels,
  z,
} from '../entry/index.ts'
import { downsampleVoxels } from '../entry/kernels.ts'
import { forEachAtOnce } from './at-once.ts'
import { assertRank, blockOfChunks, inVoxels, inWorld, partsOf, tiledShape } from './block-shapes.ts'
import { Scratch } from './scratch.ts'

const factor = z.array(z.number().int().min(1)).min(1)
const method = z.enum(['mean', 'mode', 'stride'])
type Method = z.output<typeof method>

const describe = {
  factor: 'voxels per cell along each axis',
  method:
    'mean, mode (the most frequent value, for labels) or stride (the first value) (default: mode for labels, mean otherwise)',
}

/** Creates a coarser level of a volume: every cell of voxels becomes one voxel. */
export const downsample = defineTask({
  name: 'downsample',
  config: z.object({
    input: z.string().describe('dataset to downsample'),
    output: z.string().describe('Zarr array to write'),
    factor: factor.describe(describe.factor),
    method: method.optional().describe(describe.method),
    levelOf: z.string().optional().describe("name of the pyramid's finest array, beside the output"),
  }),
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    assertRank('factor', config.factor, input)
    const channels = input.shape.slice(0, input.channelAxes)
    const voxelSize = times(input.voxelSize, config.factor)
    const shape = over(tiledShape(input), config.factor)
    const output = await arrays.create(config.output, {
      like: input,
      shape: [...channels, ...shape],
      voxelSize,
      ...chunksLike(input, [...channels, ...shape]),
      ...(config.levelOf === undefined ? {} : { levelOf: config.levelOf }),
    })
    const step = (output.shardShape ?? output.chunkShape).slice(output.channelAxes)
    const block = roi(output.offset, inWorld(output, blockOfChunks(shape, step, 64)))
    // If the length is not a multiple of the factor, the last cells exceed the input.
    return {
      totalRoi: output.roi,
      readRoi: block,
      writeRoi: block,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [output],
    }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    const options = { factor: config.factor, method: config.method ?? methodFor(input) }
    const { voxelSize } = output
    const channels = output.shape.slice(0, output.channelAxes)
    const scratch = new Scratch()
    /** The coarse voxels of a region of the input that starts with a cell. */
    const coarsened = async (region: Roi, signal: AbortSignal): Promise<Voxels> => {
      using voxels = await scratch.read(input, region, signal)
      const { data, shape } = downsampleVoxels(voxels, options)
      return { data, shape, roi: roi(region.offset, inWorld(output, shape.slice(channels.length))), voxelSize }
    }
    return async ({ readRoi, writeRoi }, { signal }) => {
      const region = intersectRoi(readRoi, input.roi)
      const parts = partsOf(input, region, config.factor)
      if (parts.length === 1) return output.write(writeRoi, await coarsened(region, signal), { signal })
      const shape = [...channels, ...inVoxels(output, writeRoi.shape)]
      using memory = scratch.take(output.dtype, Number(countElements(shape)))
      const whole = { data: memory.data, shape, roi: writeRoi, voxelSize }
      await forEachAtOnce(parts, async (part) => pasteInto(whole, await coarsened(part, signal)))
      await output.write(writeRoi, whole, { signal })
    }
  },
})

export default downsample

export const pyramidConfig = z.object({
  dataset: z.string().describe('Zarr array in a group, or a group that already has a pyramid'),
  factor: factor.optional().describe(describe.factor),
  levels: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('number of levels besides the finest (default: until a level fits into one chunk)'),
  method: method.optional().describe(describe.method),
})

/** Options of {@link pyramid}. */
export interface PyramidConfig {
  /** A Zarr array in a group, or a group that already has a pyramid: then its finest array. */
  readonly dataset: string
  /** Voxels per cell. @default for each level 2 along the spatial axes whose voxels are less than twice as long as the shortest ones */
  readonly factor?: readonly number[] | undefined
  /** Number of levels besides the finest. @default until a level fits into one chunk */
  readonly levels?: number | undefined
  /** @default mode for labels (bool, integers of 32 and 64 bits, and arrays in a group "labels"), mean otherwise */
  readonly method?: 'mean' | 'mode' | 'stride' | undefined
}

/**
 * The chain of tasks that builds a pyramid beside an array: `raw/s1`, `raw/s2`, … for `raw/s0`, and `raw_s1`, `raw_s2`, … for an
 * array with another name. A block of a level starts as soon as the blocks of the finer level that it needs are done.
 * @throws ConfigError `UNSUPPORTED` if no array can be created beside this one; `RANK_MISMATCH`; what opening it throws
 */
export async function pyramid(config: PyramidConfig): Promise<TaskNode[]> {
  await using finest = await openArray(config.dataset)
  const name = nameBeside(finest)
  const folder = finest.path.slice(0, -name.length)
  if (config.factor !== undefined) assertRank('factor', config.factor, finest)
  const nodes: TaskNode[] = []
  let level = { input: finest.path, voxelSize: [...finest.voxelSize], shape: tiledShape(finest) }
  const isCoarsest = () =>
    nodes.length === (config.levels ?? Number.POSITIVE_INFINITY) ||
    (config.levels === undefined && nodes.length > 0 && fitsOneChunk(finest, level.shape))
  while (!isCoarsest()) {
    const factor = [...(config.factor ?? factorFor(finest, level))]
    if (factor.every((length) => length === 1)) break
    const output = folder + levelName(name, nodes.length + 1)
    const after = nodes.slice(-1)
    const node = downsample(
      { input: level.input, output, factor, method: config.method ?? methodFor(finest), levelOf: name },
      { id: `downsample-${nodes.length + 1}`, after },
    )
    nodes.push(node)
    level = { input: output, voxelSize: times(level.voxelSize, factor), shape: over(level.shape, factor) }
  }
  if (nodes.length > 0) return nodes
  throw new ConfigError(
    'INVALID_CONFIG',
    `${finest.path} of ${finest.shape.join(' × ')} voxels has no coarser level with ${config.factor === undefined ? 'the default factor' : `the factor ${config.factor.join(',')}`}; give a factor above 1 along some axis.`,
  )
}

/** The name of an array in its group. @throws ConfigError `UNSUPPORTED` if it has no group, or one that can't be written */
function nameBeside({ path, format }: VolumeDescription): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const copy = (source: string, to: string) =>
    `convert it first: bellis convert ${source} ${to}/s0, then bellis downsample ${to}`
  if (!format.startsWith('zarr')) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} is no Zarr array, and pyramids are written in Zarr only; ${copy(path, `out.zarr/${name.replace(/\.\w+(\.gz)?$/, '')}`)}.`,
    )
  }
  if (/^https?:/.test(path)) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} is read-only, as all http addresses are; ${copy(path, `out.zarr/${name}`)}.`,
    )
  }
  if (/\.zarr$/i.test(name)) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} is an array outside of any group, so its levels have no place; ${copy(path, 'out.zarr/raw')}.`,
    )
  }
  return name
}

/** s0 → s1, 0 → 1, scale0 → scale1; raw → raw_s1. */
export const levelName = (name: string, level: number): string =>
  /(^|\D)0$/.test(name) ? `${name.slice(0, -1)}${level}` : `${name}_s${level}`

function methodFor({ dtype, path }: VolumeDescription): Method {
  const inside = path.replace(/^.*\.zarr\//i, '').split('/')
  const isLabels = /^(bool|u?int(32|64))$/.test(dtype) || inside.includes('labels')
  return isLabels ? 'mode' : 'mean'
}

/** Halves the axes with the finest voxels, so that voxels become isotropic. */
function factorFor(
  finest: VolumeDescription,
  { voxelSize, shape }: { readonly voxelSize: readonly number[]; readonly shape: readonly number[] },
): number[] {
  const isHalved = shape.map((length, axis) => length > 1 && finest.axes[finest.channelAxes + axis]?.type === 'space')
  const shortest = Math.min(...voxelSize.filter((_, axis) => isHalved[axis]))
  return voxelSize.map((size, axis) => (isHalved[axis] && size < 2 * shortest ? 2 : 1))
}

const fitsOneChunk = ({ chunkShape, channelAxes }: VolumeDescription, shape: readonly number[]): boolean =>
  shape.every((length, axis) => length <= (chunkShape[channelAxes + axis] as number))

/** The chunk and shard shapes of an array, cut for a smaller array. */
function chunksLike({ chunkShape, shardShape }: VolumeDescription, shape: readonly number[]) {
  const cut = (lengths: readonly number[], step: readonly number[]) =>
    lengths.map((length, axis) => {
      const unit = step[axis] as number
      return Math.min(length, Math.ceil((shape[axis] as number) / unit) * unit)
    })
  if (shardShape !== undefined) return { chunkShape, shardShape: cut(shardShape, chunkShape) }
  return {
    chunkShape: cut(
      chunkShape,
      shape.map(() => 1),
    ),
  }
}

const times = (values: readonly number[], factor: readonly number[]): number[] =>
  values.map((value, axis) => value * (factor[axis] as number))

const over = (shape: readonly number[], factor: readonly number[]): number[] =>
  shape.map((length, axis) => Math.ceil(length / (factor[axis] as number)))
