import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { countElements } from '../../core/geometry/coordinate.ts'
import { roiFrom, toVoxels } from '../../core/geometry/roi.ts'
import { isOwnModule } from '../../runtime/package-place.ts'
import type { PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../runtime/tasks/task-node.ts'
import type { VolumeDescription } from '../../runtime/volumes/volume-array.ts'

// What a worker needs at its peak, as the system counts it: the memory of its process, not only what is in use. Measured with smooth,
// convert, map, reduce, downsample, label and the examples, voxels of 1 to 4 bytes, blocks of 32 to 256 voxels and chunks of 32 to 128. A change
// of the data path may need other numbers; worker-memory.test.ts compares them with runs.

/** A process before its first block: Node, the libraries, the connection. */
const PROCESS_BYTES = 78_000_000
/** A thread before its first block, in the process of the run. */
const THREAD_BYTES = 30_000_000
/** A worker of which no task is known: with blocks and chunks of common sizes. */
export const TYPICAL_WORKER_BYTES = 160_000_000
/** What a module of the user's own takes: the library that it imports, the removal of its types, and the garbage of its code. */
const USER_CODE_BYTES = 28_000_000
/** Buffers of blocks and chunks that are no longer used and not yet returned to the system. */
const LEFT_OVER_BYTES = 13_000_000
/** The most that writing N5 leaves before it is collected, in which every chunk has a header and another byte order, and its share of what is written. */
const N5_LEFT = { most: 85_000_000, share: 1.05 } as const
/** The most decoded chunks that are kept of an array for the next blocks, and the largest chunk that is kept. */
const MAX_CACHE_BYTES = { zarr: 40 * 2 ** 20, hdf5: 64 * 2 ** 20 } as const
const MAX_KEPT_CHUNK_BYTES = 16 * 2 ** 20
/** The HDF5 library, whose memory never shrinks. */
const HDF5_BYTES = 40_000_000

/** How the workers of a run are started. */
export interface WorkerSetting {
  readonly workers: number
  /** Workers in threads, or in the process of the run, share the memory of a process. */
  readonly sharesProcess: boolean
}

/** The memory of one worker of a task, in bytes; that of a thread without the process that it shares. */
export function workerMemory(task: PlannedTask, { workers, sharesProcess }: WorkerSetting): number {
  const transferred = (Number(task.bytesPerBlock) * task.grid.blockCount) / workers
  const parts = [
    sharesProcess ? THREAD_BYTES : PROCESS_BYTES,
    task.reads.some(({ format }) => format === 'hdf5') ? HDF5_BYTES : 0,
    isTaskNode(task.source) && !isOwnModule(task.source.definition.module) ? USER_CODE_BYTES : 0,
    task.memoryPerBlock,
    // A short run does not leave as much.
    Math.min(LEFT_OVER_BYTES, transferred),
    ...task.reads.map((array) => (isCached(task, array) ? cacheBytes(array) : 0)),
    ...task.writes.map((array) => (array.format === 'n5' ? leftByN5(array, task.grid.blockCount, workers) : 0)),
    // A shard is compressed as a whole before it is written.
    ...task.writes.map((array) => (array.shardShape === undefined ? 0 : bytesOf(array, array.shardShape) / 2)),
  ]
  return Math.round(parts.reduce((sum, bytes) => sum + bytes, 0))
}

/** The memory of the process that workers share. @param perWorker as `workerMemory` returns it */
export const sharedMemory = (perWorker: number, { workers }: WorkerSetting): number =>
  PROCESS_BYTES + workers * perWorker

const leftByN5 = (array: VolumeDescription, blocks: number, workers: number): number =>
  Math.min(N5_LEFT.most, (N5_LEFT.share * bytesOf(array, array.shape) * (blocks - 1)) / blocks / workers)

/** Kept chunks. Of HDF5, up to half as many that were dropped for others wait for the garbage collector; Zarr uses their memory again. */
function cacheBytes(array: VolumeDescription): number {
  const all = bytesOf(array, array.shape)
  if (array.format !== 'hdf5') return Math.min(MAX_CACHE_BYTES.zarr, all)
  const kept = Math.min(MAX_CACHE_BYTES.hdf5, all)
  return kept + Math.min(kept / 2, all - kept)
}

const bytesOf = ({ dtype }: VolumeDescription, shape: readonly number[]): number =>
  Number(countElements(shape)) * BYTES_PER_ELEMENT[dtype]

/** Whether blocks read parts of compressed chunks, which are then kept. */
function isCached({ grid }: PlannedTask, array: VolumeDescription): boolean {
  const { codecs, chunkShape, channelAxes, shardShape, voxelSize, offset } = array
  const chunk = chunkShape.slice(channelAxes)
  if (codecs.length === 0 || shardShape !== undefined || bytesOf(array, chunkShape) > MAX_KEPT_CHUNK_BYTES) return false
  if (grid.readRoi.shape.length !== chunk.length) return false
  const read = toVoxels(roiFrom(grid.readRoi, offset), voxelSize)
  const step = toVoxels(grid.writeRoi, voxelSize).shape
  return chunk.some((length, axis) =>
    [read.offset, read.shape, step].some(
      (part) => (part[axis] ?? 0) % length !== 0 && length < (read.shape[axis] ?? 0),
    ),
  )
}
