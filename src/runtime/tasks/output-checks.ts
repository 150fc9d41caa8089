import { ConfigError } from '../../core/errors.ts'
import { showCoordinate } from '../../core/geometry/coordinate.ts'
import {
  containsRoi,
  intersectRoi,
  isAlignedRoi,
  meetsRoi,
  type Roi,
  roi,
  roiFrom,
  shiftRoi,
  snapRoi,
} from '../../core/geometry/roi.ts'
import { showRoiInNm } from '../../core/geometry/roi-text.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { findSharedChunk, greatestDivisor, largestDivisor } from '../../core/grid/shared-chunks.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import { storageShape, storageVoxels, type VolumeDescription, voxelsAcross } from '../volumes/volume-array.ts'
import type { PlannedTask } from './planned-task.ts'

/**
 * Refuses blocks that are not whole voxels of the array that they write, that write outside of it, or that could overwrite each
 * other's voxels in a chunk that they share.
 * @throws ConfigError `RANK_MISMATCH`, `NOT_VOXEL_ALIGNED`, `OUTSIDE_ARRAY`, `CHUNK_CONFLICT`
 */
export function assertWritable(taskId: string, grid: BlockGrid, array: VolumeDescription): void {
  if (array.voxelSize.length !== grid.shape.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `Task "${taskId}": its blocks have ${grid.shape.length} axes, but ${array.path} has ${array.voxelSize.length} besides its ${array.channelAxes} channel axes.`,
    )
  }
  const step = roi(roiFrom(grid.totalWriteRoi, array.offset).offset, grid.writeRoi.shape)
  if (!isAlignedRoi(step, array.voxelSize)) {
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `Task "${taskId}": write blocks of ${showCoordinate(grid.writeRoi.shape)} ${array.unit} from ${showCoordinate(grid.totalWriteRoi.offset)} are not whole voxels of ${array.path}, which are ${showCoordinate(array.voxelSize)} ${array.unit}.`,
    )
  }
  const written = grid.fit === 'overhang' ? undefined : writtenRoi(grid)
  if (written !== undefined && !containsRoi(array.roi, written)) {
    throw new ConfigError(
      'OUTSIDE_ARRAY',
      `Task "${taskId}": its blocks write ${showRoiInNm(written, array.unit)}, but ${array.path} fills only ${showRoiInNm(array.roi, array.unit)} nm; make the output as large, or totalRoi smaller.`,
    )
  }
  assertChunksApart(taskId, grid, array)
}

function assertChunksApart(taskId: string, grid: BlockGrid, array: VolumeDescription): void {
  const axes = findSharedChunk(grid, { offset: array.offset, chunkShape: storageShape(array) })
  if (axes === undefined) return
  const name = array.shardShape === undefined ? 'chunk' : 'shard'
  const voxels = storageVoxels(array)
  const fitting = voxels.map((length, axis) => {
    const size = array.voxelSize[axis] as number
    const width = (grid.writeRoi.shape[axis] as number) / size
    const start = ((grid.totalWriteRoi.offset[axis] as number) - (array.offset[axis] as number)) / size
    const common = greatestDivisor(width, Math.abs(start))
    return common % length === 0 ? length : largestDivisor(common, length)
  })
  throw new ConfigError(
    'CHUNK_CONFLICT',
    `Task "${taskId}": neighbouring blocks along axis ${axes.join(' and ')} would write to the same ${name} of ${array.path} at the same time, and one write would be lost: the ${name}s are ${showCoordinate(voxels)} voxels, the blocks ${voxelsAcross(array, grid.writeRoi.shape).join(' × ')}. Use ${name}s of ${showCoordinate(fitting)}, or blocks of whole ${name}s.`,
  )
}

/** The region that all blocks write, for fits without overhang. */
const writtenRoi = ({ totalWriteRoi, leftOut }: BlockGrid): Roi =>
  roi(
    totalWriteRoi.offset,
    totalWriteRoi.shape.map((length, axis) => length - (leftOut[axis] as number)),
  )

/**
 * Refuses two tasks that write to the same place, or to the same chunk, of one array if neither waits for the other.
 * @param tasks each after those it waits for
 * @throws ConfigError `OUTPUT_CONFLICT`
 */
export function assertOutputsApart(tasks: readonly PlannedTask[], store: ArrayStore): void {
  const upstream = new Map<string, Set<string>>()
  for (const task of tasks) {
    upstream.set(task.id, new Set(task.after.flatMap((id) => [id, ...(upstream.get(id) ?? [])])))
  }
  for (const [index, a] of tasks.entries()) {
    for (const b of tasks.slice(index + 1)) if (!upstream.get(b.id)?.has(a.id)) assertApart(a, b, store)
  }
}

function assertApart(a: PlannedTask, b: PlannedTask, store: ArrayStore): void {
  for (const array of a.writes) {
    const path = store.canonicalPath(array.path)
    const same = b.writes.find((other) => store.canonicalPath(other.path) === path)
    if (same === undefined || !meetsRoi(writtenChunks(a.grid, array), writtenChunks(b.grid, array))) continue
    throw new ConfigError(
      'OUTPUT_CONFLICT',
      `Tasks "${a.id}" and "${b.id}" both write ${array.path}, in the same place or the same chunks; let one come after the other, or give each its own output.`,
    )
  }
}

/** The region of an array that a task writes, grown to whole chunks (or shards). */
function writtenChunks(grid: BlockGrid, array: VolumeDescription): Roi {
  const local = roiFrom(intersectRoi(grid.totalWriteRoi, array.roi), array.offset)
  return shiftRoi(snapRoi(local, storageShape(array), 'grow'), array.offset)
}
