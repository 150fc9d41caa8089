import { setTimeout as wait } from 'node:timers/promises'
import { definePipeline, defineTask, growRoi, roi, z } from 'bellis'

const config = z.object({
  input: z.string(),
  output: z.string(),
  /** The mean time of a block, in milliseconds. */
  ms: z.coerce.number(),
})

/** Adds the two neighbours along z to each voxel, with blocks that take from half the mean time to six times of it. */
const paced = defineTask({
  name: 'paced',
  config,
  async plan({ input, output }, { arrays }) {
    const raw = await arrays.open(input)
    const chunkShape = [8, 16, 16]
    const sum = await arrays.create(output, { like: raw, chunkShape })
    const block = roi(
      raw.offset,
      chunkShape.map((length, axis) => length * raw.voxelSize[axis]!),
    )
    const context = [raw.voxelSize[0]!, 0, 0]
    return {
      totalRoi: growRoi(raw.roi, context, context),
      readRoi: growRoi(block, context, context),
      writeRoi: block,
      fit: 'shrink',
      readWriteConflict: false,
      writes: [sum],
    }
  },
  async setup({ input, output, ms }, { arrays }) {
    const raw = await arrays.open(input)
    const sum = await arrays.open(output, { mode: 'r+' })
    return async ({ index, readRoi, writeRoi }, { signal }) => {
      const { data, shape } = await raw.read(readRoi, { signal })
      await wait(index % 37 === 0 ? 6 * ms : ms * (0.5 + ((index * 7) % 10) / 10), undefined, { signal })
      const plane = shape[1]! * shape[2]!
      const voxels = data as Uint8Array
      const sums = Uint8Array.from(
        { length: voxels.length - 2 * plane },
        (_, at) => voxels[at]! + voxels[at + plane]! + voxels[at + 2 * plane]!,
      )
      await sum.write(writeRoi, sums, { signal })
    }
  },
})

/** The same task twice, over a transient array. */
export default definePipeline({
  name: 'paced-chain',
  config,
  tasks({ input, output, ms }) {
    const once = `${output}/once`
    const first = paced({ input, output: once, ms }, { id: 'once', transient: true })
    return [first, paced({ input: once, output: `${output}/twice`, ms }, { id: 'twice', after: [first] })]
  },
})

export { paced }
