import { defineTask, equalCoordinates, roi, type VolumeDescription, z } from '../entry/index.ts'
import { assertRank, blockOfChunks, bytesOf, defaultChunk, inVoxels, inWorld, regionOf } from './block-shapes.ts'
import { Scratch } from './scratch.ts'

const shape = z.array(z.number().int().positive()).min(1)

/** Copies any readable dataset to Zarr, N5, HDF5 or a precomputed volume, block by block: the same voxels with the same placement. */
export const convert = defineTask({
  name: 'convert',
  config: z.object({
    input: z.string().describe('dataset to copy'),
    output: z.string().describe('array to write: Zarr, N5, HDF5 or precomputed, as its name says'),
    chunk: shape.optional().describe('chunk shape of the output, voxels (default: about 64 per axis)'),
    shard: shape
      .optional()
      .describe('shard shape of the output, voxels, a multiple of the chunk shape (default: no shards)'),
    codec: z.string().default('zstd:3').describe('compression, NAME[:level]: raw, gzip, zlib, zstd, blosc, …'),
    zarrFormat: z
      .union([z.literal(2), z.literal(3)])
      .default(3)
      .describe('version of the Zarr format'),
    roi: z
      .string()
      .optional()
      .describe('copy only this region: offset:shape in nm, or a slice in voxels such as 0:20,100:200,100:200'),
    groupsLike: z
      .object({ container: z.string(), inner: z.string(), below: z.string() })
      .optional()
      .describe("Zarr group whose metadata the output's groups get; below: the path of the array in it"),
  }),
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const region = regionOf(input, config.roi)
    const voxels = inVoxels(input, region.shape)
    const chunk = config.chunk ?? defaultChunk(voxels)
    for (const [name, given] of [
      ['chunk', config.chunk],
      ['shard', config.shard],
    ] as const) {
      if (given !== undefined) assertRank(name, given, input)
    }
    const channels = input.shape.slice(0, input.channelAxes)
    const ones = channels.map(() => 1)
    const output = await arrays.create(config.output, {
      like: input,
      shape: [...channels, ...voxels],
      offset: region.offset,
      chunkShape: [...ones, ...chunk.map((length, axis) => Math.min(length, Math.max(1, voxels[axis] as number)))],
      ...(config.shard === undefined ? {} : { shardShape: [...ones, ...config.shard] }),
      ...(config.groupsLike === undefined ? {} : { groupsLike: config.groupsLike }),
      codec: config.codec,
      zarrFormat: config.zarrFormat,
    })
    const step = (output.shardShape ?? output.chunkShape).slice(input.channelAxes)
    const source = input.chunkShape.slice(input.channelAxes)
    // Blocks are whole shards (or chunks) of the output, and at least a chunk of the input along each axis, so that few are read twice.
    const target = Math.max(128, ...source.map((length) => Math.min(length, 256)))
    const block = roi(region.offset, inWorld(input, blockOfChunks(voxels, step, target)))
    return {
      totalRoi: region,
      readRoi: block,
      writeRoi: block,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [output],
      regionFields: ['roi'],
      memory: copiesChunks(input, output) ? 2 * bytesOf(input, step) : bytesOf(input, inVoxels(input, block.shape)),
    }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    const scratch = new Scratch()
    return async (block, { signal }) => {
      if (await output.copyChunks?.(block.writeRoi, input, { signal })) return
      using voxels = await scratch.read(input, block.readRoi, signal)
      await output.write(block.writeRoi, voxels, { signal })
    }
  },
})

/** Whether blocks are copied chunk by chunk, in memory for one of them. */
const copiesChunks = (input: VolumeDescription, output: VolumeDescription): boolean =>
  [input, output].every(({ format }) => format.startsWith('zarr')) &&
  input.order === output.order &&
  !/^https?:/.test(input.path) &&
  input.shardShape === undefined &&
  output.shardShape === undefined &&
  !input.chunksVary &&
  equalCoordinates(input.chunkShape, output.chunkShape)

export default convert
