import {
  type Block,
  type BlockGridOptions,
  ConfigError,
  countElements,
  roi,
  type VolumeDescription,
  z,
} from '../entry/index.ts'
import { assertRank, blockOfChunks, defaultChunk, inVoxels, inWorld, tiledShape } from './block-shapes.ts'

export const labelConfig = z.object({
  input: z.string().describe('dataset whose nonzero voxels are labelled'),
  output: z.string().describe('array to write, uint64: Zarr, N5 or precomputed, as its name says'),
  connectivity: z
    .number()
    .int()
    .min(1)
    .default(1)
    .describe('along how many axes at once neighbours may differ: 1 faces, 2 edges, 3 corners'),
  block: z
    .array(z.number().int().positive())
    .min(1)
    .optional()
    .describe('block shape, voxels (default: about 128 per axis)'),
})

/** Options of {@link label}. */
export interface LabelConfig {
  /** Dataset whose nonzero voxels are labelled. */
  readonly input: string
  /** Array to write, uint64. The tasks' intermediate results are stored beside it, in a group of its name with `_parts`. */
  readonly output: string
  /** Along how many axes at once neighbours may differ: 1 faces, 2 edges, 3 corners. @default 1 */
  readonly connectivity?: number | undefined
  /** Block shape, voxels. @default about 128 per axis */
  readonly block?: number[] | undefined
}
export type Config = z.output<typeof labelConfig>

/** The arrays of intermediate results, beside the output. */
export const partsOf = ({ output }: Pick<Config, 'output'>) => {
  // Nothing else is stored in a container that is one volume.
  const container = /\.(zarr|n5)\/*$|\.precomputed(\/.*)?$/i
  const group = container.test(output) ? output.replace(container, '_parts.zarr') : withParts(output)
  return { faces: `${group}/faces`, pairs: `${group}/pairs`, numbers: `${group}/numbers` }
}

/** In a file that only holds what it was made with, nothing can be stored beside the output: the output itself is refused. */
const withParts = (output: string): string => {
  const file = /\.(hdf5?|h5|ims|tiff?|png|nii|mrc|nrrd|mhd|npy)(\.gz)?(\/.*)?$/i
  return file.test(output) ? output.replace(file, '_parts.zarr') : `${output}_parts`
}

/** How a volume is cut into blocks, and the lengths of the rows that are stored for each block. */
export function layoutOf(config: Config, input: VolumeDescription) {
  const shape = tiledShape(input)
  if (config.block !== undefined) assertRank('block', config.block, input)
  if (config.connectivity > shape.length) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `"connectivity" is ${config.connectivity}, but ${input.path} has ${shape.length} axes; expected 1 (faces) to ${shape.length} (corners).`,
    )
  }
  const voxels = config.block ?? blockOfChunks(shape, defaultChunk(shape), 128)
  const product = (lengths: readonly number[]) => Number(countElements(lengths))
  const channels = product(input.shape.slice(0, input.channelAxes))
  const across = (axis: number, more: number) =>
    channels * product(voxels.map((length, other) => (other === axis ? 1 : length + more)))
  const faces = voxels.map((_, axis) => across(axis, 0))
  const block = roi(input.offset, inWorld(input, voxels))
  const options: BlockGridOptions & { readonly growable: boolean } = {
    totalRoi: input.roi,
    readRoi: block,
    writeRoi: block,
    fit: 'shrink',
    readWriteConflict: false,
    // Its blocks are rows of the arrays of its parts.
    growable: false,
  }
  return {
    voxels,
    rank: voxels.length,
    options,
    /** Entries of a face in its block's row; the first one is the number of components in the block. */
    faceLength: 1 + Math.max(...faces),
    /** The most pairs of a block: they form a forest of the labels on its upper faces and the labels that touch them. */
    maxPairs: faces.reduce((sum, length, axis) => sum + length + across(axis, 2), 0),
    maxComponents: channels * product(voxels),
  }
}

/** The box of a block in voxels of the array, including channels. */
export function blockBox(input: VolumeDescription, { writeRoi }: Pick<Block, 'writeRoi'>) {
  const channels = input.shape.slice(0, input.channelAxes)
  const offset = inVoxels(
    input,
    writeRoi.offset.map((at, axis) => at - (input.offset[axis] as number)),
  )
  return { offset: [...channels.map(() => 0), ...offset], shape: [...channels, ...inVoxels(input, writeRoi.shape)] }
}
