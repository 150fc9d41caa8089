import type { VoxelPlacement } from '../../core/geometry/placement.ts'
import type { WorldUnit } from '../../core/geometry/world-unit.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import type { Resources } from '../../core/workers/resources.ts'
import type { CreateArrayOptions } from '../../ports/chunked-array.ts'
import type { VolumeDescription } from '../volumes/volume-array.ts'
import type { TaskLike } from './task-node.ts'

/** An array that a run will create before its first block. */
export interface PlannedOutput {
  readonly path: string
  readonly options: CreateArrayOptions
  /** Whether the task itself said what happens to an array that exists, so that the run does not ask who wrote it. @default false */
  readonly isChosen?: boolean
}

/** One task of a run, ready to be scheduled. */
export interface PlannedTask {
  readonly id: string
  readonly after: readonly string[]
  readonly source: TaskLike
  readonly grid: BlockGrid
  readonly unit: WorldUnit
  readonly reads: readonly VolumeDescription[]
  readonly writes: readonly VolumeDescription[]
  /** Where the voxels are that its blocks write; absent if that is not known. */
  readonly voxels?: VoxelPlacement
  readonly outputs: readonly PlannedOutput[]
  readonly warnings: readonly string[]
  /** What one worker needs for it; `cpu` is always there. */
  readonly requires: Resources
  /** How many of its blocks may be processing or done while others wait for them. */
  readonly maxAhead?: number
  /** The limit that the task itself sets to its failed attempts in a row. */
  readonly maxFailures?: number
  /** The limits that the task itself sets. */
  readonly maxRetries?: number
  readonly timeoutMs?: number
  readonly memoryRetry?: number
  /** The array of its mask, or of that of the run. */
  readonly mask?: VolumeDescription
  /** Its blocks that write nothing inside its mask, as a bitmap: bit i % 8 (lowest first) of byte floor(i / 8) is block i. */
  readonly masked?: Uint8Array
  /** Its blocks that a start of the run leaves as they are, as a bitmap. */
  readonly leftOut?: Uint8Array
  /** Whether its blocks depend on nothing but the voxels that they read. */
  readonly isGrowable: boolean
  /** Fields of its configuration that only choose its region. */
  readonly regionFields: readonly string[]
  /** Its output is removed when no block needs it any more. */
  readonly isTransient: boolean
  /** Bytes of voxels that one block writes. */
  readonly bytesWritten: bigint
  /** Bytes that one block needs at least: what it reads and what it writes. */
  readonly bytesPerBlock: bigint
  /** Bytes that the function needs for one block, besides what reading and writing needs. */
  readonly memoryPerBlock: number
  /** Voxels of a block's write Roi, in the first output (or input): their mean if the last blocks are cut. */
  readonly voxelsPerBlock: number
}

/** The plan of a run: the result of all checks before its first block. */
export interface PlannedPipeline {
  /** The name of its pipeline, if it has one. */
  readonly name?: string
  /** Topologically ordered: each task comes after those it waits for. */
  readonly tasks: readonly PlannedTask[]
  readonly unit: WorldUnit
}
