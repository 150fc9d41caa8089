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
/** What a module of the user's own takes: the library that it imports, the removal of its types, its compilation, and the garbage of its code. */
const USER_CODE_BYTES = 40_000_000
/**
 * What is no longer used and not yet returned to the system: some buffers of blocks and chunks. A function of the user's own may need new
 * arrays for each block; V8 collects those at the latest when they are 64 MB, and mostly earlier.
 */
const LEFT_OVER_BYTES = { own: 13_000_000, user: 48_000_000 } as const
/** What writing N5 leaves before it is collected, in which every chunk has a header and another byte order: always, at most more, and as a share of what is written. */
const N5_LEFT = { least: 4_000_000, most: 85_000_000, share: 1.05 } as const
/** The most decoded chunks that are kept for the next blocks, of all Zarr arrays together and of each HDF5 dataset, and the largest chunk that is kept. */
const MAX_CACHE_BYTES = { zarr: 40 * 2 ** 20, hdf5: 64 * 2 ** 20 } as const
const MAX_CACHE_VOXELS = 24 * 2 ** 20
const MAX_KEPT_CHUNK_BYTES = 16 * 2 ** 20
/** The HDF5 library, whose memory never shrinks. */
const HDF5_BYTES = 40_000_000

/** How the workers of a run are started. */
export interface WorkerSetting {
  readonly workers: number
  /** Workers in threads, or in the process of the run, share the memory of a process. */
  readonly sharesProcess: boolean
}

/**
 * The memory of one worker that does blocks of all these tasks, in bytes; that of a thread without the process that it shares. Tasks use
 * the same memory for their blocks, one after the other.
 */
export function workerMemory(tasks: readonly PlannedTask[], setting: WorkerSetting): number {
  const { workers, sharesProcess } = setting
  const reads = tasks.flatMap((task) => task.reads)
  const cached = tasks.flatMap((task) => task.reads.filter((array) => isCached(task, array)))
  const [hdf5, others] = [true, false].map((is) => distinct(cached.filter(({ format }) => (format === 'hdf5') === is)))
  const transferred = tasks.map((task) => (Number(task.bytesPerBlock) * task.grid.blockCount) / workers)
  const parts = [
    sharesProcess ? THREAD_BYTES : PROCESS_BYTES,
    reads.some(({ format }) => format === 'hdf5') ? HDF5_BYTES : 0,
    tasks.some(isUserCode) ? USER_CODE_BYTES : 0,
    Math.max(...tasks.map(({ memoryPerBlock }) => memoryPerBlock)),
    // A short run does not leave as much.
    Math.min(tasks.some(isUserCode) ? LEFT_OVER_BYTES.user : LEFT_OVER_BYTES.own, sum(transferred)),
    zarrCacheBytes(others as VolumeDescription[]),
    sum((hdf5 as VolumeDescription[]).map(hdf5CacheBytes)),
    Math.max(...tasks.map((task) => leftByWriting(task, setting))),
  ]
  return Math.round(sum(parts))
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

const distinct = (arrays: readonly VolumeDescription[]): VolumeDescription[] => [
  ...new Map(arrays.map((array) => [array.path, array])).values(),
]

const isUserCode = ({ source }: PlannedTask): boolean => isTaskNode(source) && !isOwnModule(source.definition.module)

/** The memory of the process that workers share. @param perWorker as `workerMemory` returns it */
export const sharedMemory = (perWorker: number, { workers }: WorkerSetting): number =>
  PROCESS_BYTES + workers * perWorker

function leftByWriting({ writes, grid }: PlannedTask, { workers }: WorkerSetting): number {
  return sum([
    ...writes.map((array) => (array.format === 'n5' ? leftByN5(array, grid.blockCount, workers) : 0)),
    // A shard is compressed as a whole before it is written.
    ...writes.map((array) => (array.shardShape === undefined ? 0 : bytesOf(array, array.shardShape) / 3)),
  ])
}

const leftByN5 = (array: VolumeDescription, blocks: number, workers: number): number =>
  N5_LEFT.least +
  Math.min(N5_LEFT.most, (N5_LEFT.share * bytesOf(array, array.shape) * (blocks - 1)) / blocks / workers)

function zarrCacheBytes(arrays: readonly VolumeDescription[]): number {
  const useful = Math.max(0, ...arrays.map(({ dtype }) => MAX_CACHE_VOXELS * BYTES_PER_ELEMENT[dtype]))
  return Math.min(MAX_CACHE_BYTES.zarr, useful, sum(arrays.map((array) => bytesOf(array, array.shape))))
}

/** Kept chunks, and up to half as many that were dropped for others and wait for the garbage collector; Zarr uses their memory again. */
function hdf5CacheBytes(array: VolumeDescription): number {
  const all = bytesOf(array, array.shape)
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
