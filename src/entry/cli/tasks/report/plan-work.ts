import type { BlockGrid } from '../../../../core/grid/block-grid.ts'
import type { PlannedTask } from '../../../../runtime/tasks/planned-task.ts'
import type { VolumeDescription } from '../../../../runtime/volumes/volume-array.ts'

/** Blocks along an axis that are looked at: the others are much the same. */
const MAX_BLOCKS = 10_000

/** What a task does for each voxel that it writes. */
export interface PlannedWork {
  /** Voxels that its blocks read, and compute with. */
  readonly read: number
  /** Voxels of the chunks in which these lie: as many are decoded if no chunk is kept from one block to the next. */
  readonly decoded: number
}

/** @returns undefined for a task that reads no array with the axes of its blocks */
export function workOf({ grid, reads, writes }: PlannedTask): PlannedWork | undefined {
  const axes = grid.shape.length
  const inputs = reads.filter(({ voxelSize }) => voxelSize.length === axes)
  const [output = inputs[0]] = writes.filter(({ voxelSize }) => voxelSize.length === axes)
  if (inputs.length === 0 || output === undefined) return undefined
  const work = { read: 0, decoded: 0 }
  for (const input of inputs) {
    let [read, decoded] = [1, 1]
    for (let axis = 0; axis < axes; axis++) {
      const sums = alongAxis(grid, axis, input, output)
      read *= sums.read / sums.written
      decoded *= sums.decoded / sums.written
    }
    work.read += read
    work.decoded += decoded
  }
  return work
}

/** Voxels along one axis, summed over its blocks. */
function alongAxis(grid: BlockGrid, axis: number, input: VolumeDescription, output: VolumeDescription) {
  const count = Math.min(MAX_BLOCKS, grid.shape[axis] as number)
  const first = grid.totalWriteRoi.offset[axis] as number
  const end = first + (grid.totalWriteRoi.shape[axis] as number)
  const step = grid.writeRoi.shape[axis] as number
  const size = input.voxelSize[axis] as number
  const origin = input.offset[axis] as number
  const length = input.shape[input.channelAxes + axis] as number
  const chunk = input.codecs.length === 0 ? 1 : (input.chunkShape[input.channelAxes + axis] as number)
  const inside = (voxel: number) => Math.min(length, Math.max(0, voxel))
  const sums = { read: 0, decoded: 0, written: 0 }
  for (let block = 0; block < count; block++) {
    const start = first + block * step
    const stop = grid.fit === 'shrink' ? Math.min(end, start + step) : start + step
    const low = inside(Math.floor((start - (grid.context.lower[axis] as number) - origin) / size))
    const high = inside(Math.ceil((stop + (grid.context.upper[axis] as number) - origin) / size))
    sums.read += high - low
    if (high > low) sums.decoded += inside(Math.ceil(high / chunk) * chunk) - Math.floor(low / chunk) * chunk
    sums.written += (stop - start) / (output.voxelSize[axis] as number)
  }
  return sums
}
