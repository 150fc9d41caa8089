import { type Block, type BlockGridOptions, ConfigError, roi, type VolumeDescription, z } from '../entry/index.ts'
import { assertRank, blockOfChunks, defaultChunk, inVoxels, inWorld, tiledShape } from './block-shapes.ts'

export const labelConfig = z.object({
  input: z.string().describe('dataset whose voxels that are not 0 are labelled'),
  output: z.string().describe('Zarr array to write, uint64'),
  connectivity: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('along how many axes at once a neighbour may lie: 1 faces, 2 edges, 3 corners'),
  block: z
    .array(z.number().int().positive())
    .min(1)
    .optional()
    .describe('voxels of a block (default: about 128 a side)'),
})

/** What {@link label} is given. */
export interface LabelConfig {
  /** Dataset whose voxels that are not 0 are labelled. */
  readonly input: string
  /** Zarr array to write, uint64. What the tasks leave for each other is beside it, in a group of its name with `_parts`. */
  readonly output: string
  /** Along how many axes at once a neighbour may lie: 1 faces, 2 edges, 3 corners. @default 1 */
  readonly connectivity?: number | undefined
  /** Voxels of a block. @default about 128 a side */
  readonly block?: number[] | undefined
}
export type Config = z.output<typeof labelConfig>

/** Where the tasks leave what the next ones need: beside the output. */
export const partsOf = ({ output }: Pick<Config, 'output'>) => {
  const group = /\.zarr\/*$/i.test(output) ? output.replace(/\.zarr\/*$/i, '_parts.zarr') : `${output}_parts`
  return { faces: `${group}/faces`, pairs: `${group}/pairs`, numbers: `${group}/numbers` }
}

/** How a volume is cut into blocks, and how long the rows are that are kept of each. */
export function layoutOf(config: Config, input: VolumeDescription) {
  const shape = tiledShape(input)
  if (config.block !== undefined) assertRank('block', config.block, input)
  if (config.connectivity > shape.length) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `"connectivity" is ${config.connectivity}, but ${input.path} has ${shape.length} axes; from 1 (faces) to ${shape.length} (corners) makes sense.`,
    )
  }
  const voxels = config.block ?? blockOfChunks(shape, defaultChunk(shape), 128)
  const channels = input.shape.slice(0, input.channelAxes).reduce((product, length) => product * length, 1)
  const product = (lengths: readonly number[]) => lengths.reduce((all, length) => all * length, 1)
  const across = (axis: number, more: number) =>
    channels * product(voxels.map((length, other) => (other === axis ? 1 : length + more)))
  const faces = voxels.map((_, axis) => across(axis, 0))
  const block = roi(input.offset, inWorld(input, voxels))
  const options: BlockGridOptions = {
    totalRoi: input.roi,
    readRoi: block,
    writeRoi: block,
    fit: 'shrink',
    readWriteConflict: false,
  }
  return {
    voxels,
    rank: voxels.length,
    options,
    /** Entries of a face in its row, the first of which is the number of components in the block. */
    faceLength: 1 + Math.max(...faces),
    /** The pairs of a block make a forest of the labels on its upper faces and of those that touch them. */
    maxPairs: faces.reduce((sum, length, axis) => sum + length + across(axis, 2), 0),
    maxComponents: channels * product(voxels),
  }
}

/** The box of a block, voxels of the array, channels included. */
export function boxOf(input: VolumeDescription, { writeRoi }: Pick<Block, 'writeRoi'>) {
  const channels = input.shape.slice(0, input.channelAxes)
  const offset = inVoxels(
    input,
    writeRoi.offset.map((at, axis) => at - (input.offset[axis] as number)),
  )
  return { offset: [...channels.map(() => 0), ...offset], shape: [...channels, ...inVoxels(input, writeRoi.shape)] }
}
