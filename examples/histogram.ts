// $ node examples/histogram.ts sample.hdf/volumes/raw
// A small job without workers: a closure that processes several blocks at a time in this process.
import { openArray, roi, runBlockwise } from 'bellis'

const [path = 'sample.hdf/volumes/raw'] = process.argv.slice(2)
await using raw = await openArray(path)
const block = roi(
  raw.offset,
  raw.voxelSize.map((size) => 64 * size),
)

const histogram = new Float64Array(256)
const result = await runBlockwise(
  {
    id: 'histogram',
    totalRoi: raw.roi,
    readRoi: block,
    writeRoi: block,
    fit: 'shrink',
    readWriteConflict: false,
    async process({ readRoi }, { signal }) {
      const { data } = await raw.read(readRoi, { signal })
      for (const value of data) histogram[Number(value)]! += 1
    },
  },
  { workers: 4 },
)
const mostFrequent = histogram.indexOf(Math.max(...histogram))
console.log(
  `${raw.shape.join(' × ')} voxels; the most frequent value is ${mostFrequent}, ${histogram[mostFrequent]} times`,
)
process.exitCode = result.ok ? 0 : 1
