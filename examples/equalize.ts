// $ bellis run examples/equalize.ts --input sample.hdf/volumes/raw --output out.zarr/volumes/equalized --workers 2
// A task with an expensive set-up: histogram equalization needs the histogram of the complete volume.
// Each worker computes it once, in `setup`, and every block uses it.
// Load a model or open a database in the same place.
import { defineTask, roi, type VolumeArray, z } from 'bellis'

const SIDE = 64

export default defineTask({
  name: 'equalize',
  config: z.object({
    input: z.string().describe('uint8 dataset'),
    output: z.string().describe('Zarr array to write, in which all grey values are about equally frequent'),
  }),
  async plan(config, { arrays }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.create(config.output, { like: raw, chunkShape: [SIDE, SIDE, SIDE] })
    const block = roi(
      raw.offset,
      raw.voxelSize.map((size) => SIDE * size),
    )
    const blocks = { totalRoi: raw.roi, readRoi: block, writeRoi: block, fit: 'shrink' } as const
    return { ...blocks, readWriteConflict: false, writes: [output] }
  },
  async setup(config, { arrays, workerId }) {
    const raw = await arrays.open(config.input)
    const output = await arrays.open(config.output, { mode: 'r+' })
    const table = await equalizingTable(raw)
    console.log(`${workerId} has its table`) // the output of a worker goes to its log
    return async ({ readRoi, writeRoi }, { signal }) => {
      const { data } = await raw.read(readRoi, { signal })
      await output.write(
        writeRoi,
        (data as Uint8Array).map((value) => table[value]!),
      )
    }
  },
})

/** For each grey value, the share of voxels that are not brighter, scaled to 0–255. Reads section by section. */
async function equalizingTable(raw: VolumeArray): Promise<Uint8Array> {
  const counts = new Float64Array(256)
  const [thickness] = raw.voxelSize as readonly [number, ...number[]]
  const sections = raw.shape[0] as number
  for (let z = 0; z < sections; z++) {
    const offset = [raw.offset[0]! + z * thickness, ...raw.offset.slice(1)]
    const { data } = await raw.read(roi(offset, [thickness, ...raw.roi.shape.slice(1)]))
    for (const value of data) counts[Number(value)]! += 1
  }
  const voxels = raw.shape.reduce((product, length) => product * length, 1)
  let below = 0
  return Uint8Array.from(counts, (count) => Math.round((255 * (below += count)) / voxels))
}
