import type { z } from 'zod'
import type { VoxelPlacement } from '../../core/geometry/placement.ts'
import type { WorldUnit } from '../../core/geometry/world-unit.ts'
import type { Block } from '../../core/grid/block-grid.ts'
import type { BlockGridOptions } from '../../core/grid/grid-options.ts'
import type { Resources } from '../../core/workers/resources.ts'
import type { CreateVolumeOptions } from '../volumes/create-volume.ts'
import type { VolumeArray, VolumeDescription } from '../volumes/volume-array.ts'

/** A schema that checks a configuration: an object of named fields. */
export type ConfigSchema = z.ZodObject

/** A block, as passed to a user's function. */
export interface TaskBlock extends Block {
  readonly taskId: string
}

/** A block while it is being done. */
export interface RunningBlock extends TaskBlock {
  /** Says that a long block advances, so that its worker does not count as stalled. May be called as often as you like. */
  progress(): void
}

/** What a user's function receives besides the block. */
export interface BlockContext {
  /** Aborted when the block times out or the run stops immediately; the function should then stop. */
  readonly signal: AbortSignal
}

/** Processes one block. If it throws, the attempt has failed. */
export type ProcessBlock = (block: RunningBlock, context: BlockContext) => void | Promise<void>

/**
 * Whether a block is done; called before it is processed, and again afterwards. An error is reported, and never counts as
 * false.
 */
export type IsDone<Config> = (block: TaskBlock, config: Config) => boolean | Promise<boolean>

/** Opens and plans arrays while a run is prepared. Nothing is written before every task of the run has been planned. */
export interface PlanArrays {
  /** @param path any readable dataset, or one that this run will create */
  open(path: string): Promise<VolumeDescription & Pick<VolumeArray, 'read'>>
  /**
   * Plans an output: it is created before the first block runs. An output that exists is reused if it is the same
   * (with `--overwrite` it is replaced).
   * @throws ConfigError `DATASET_EXISTS` if it exists with another shape, dtype, chunk shape or placement
   */
  create(path: string, options: CreateVolumeOptions): Promise<VolumeDescription>
}

/** What `plan` receives besides the configuration. */
export interface PlanContext {
  readonly arrays: PlanArrays
  readonly taskId: string
  /** Shows a warning to the user before the run, for example about insufficient context. */
  warn(message: string): void
}

/** How a task is cut into blocks. Rois in world units of the arrays that `plan` opened. */
export interface TaskPlan extends BlockGridOptions {
  /** What one worker needs for the task; overrides what the task itself requires. */
  readonly requires?: Resources
  /** The arrays that the blocks write: checked so that no two blocks that run together share a chunk. */
  readonly writes?: readonly VolumeDescription[]
  /** Where the voxels of these arrays are, for workers in other languages. @default those of the first one */
  readonly voxels?: VoxelPlacement
  /**
   * Where there is something to do: an array that was opened with `arrays.open`, of any resolution. Blocks that write nothing where it is not 0
   * are not run: they count as done, and their output stays as it is. @default that of the run; everywhere
   */
  readonly mask?: VolumeDescription & Pick<VolumeArray, 'read'>
  /**
   * Blocks that are not run, in addition to those outside of the mask: a bitmap, bit i % 8 (lowest first) of byte floor(i / 8) for block i, last axis
   * fastest. @default none
   */
  readonly masked?: Uint8Array
  /**
   * Whether a block depends on nothing but the voxels that it reads: not on its index, nor on how large the volume is. Otherwise its run can't
   * continue with a volume that has grown. @default true
   */
  readonly growable?: boolean
  /**
   * Fields of the configuration that say nothing but which region the task writes. A run with another region is the same run: it is refused, or
   * continued with `grow` if the region has become larger. @default none
   */
  readonly regionFields?: readonly string[]
  /**
   * Bytes that the function needs for one block, for the estimate of `bellis plan`. @default the voxels that it reads, and those that it
   * writes
   */
  readonly memory?: number
}

/** Opens arrays in the worker that processes the blocks; they are closed when the worker ends. */
export interface SetupArrays {
  open(path: string, options?: { readonly mode?: 'r' | 'r+' }): Promise<VolumeArray>
}

/** What `setup` receives besides the configuration. */
export interface SetupContext {
  readonly arrays: SetupArrays
  readonly taskId: string
  readonly workerId: string
  /** The world unit of the blocks' Rois. */
  readonly unit: WorldUnit
  /**
   * The resources that are reserved for this worker, numbered from 0: `{ gpu: [3] }` if the task requires `{ gpu: 1 }`. Only
   * resources that the run counts in whole numbers have units: not `cpu` and `memoryGb`, and none for workers that
   * join by themselves or are jobs. The variable `CUDA_VISIBLE_DEVICES` names the same GPUs.
   */
  readonly resources: Readonly<Record<string, readonly number[]>>
  /** Aborted when the worker ends, to stop what `setup` has started. */
  readonly signal: AbortSignal
}

/** Options of {@link defineTask}. */
export interface TaskOptions<Schema extends ConfigSchema> {
  /** Names the task in reports and in the run's folder, and identifies it in its module. */
  readonly name: string
  /** The schema of the configuration. Its fields become flags, are checked, and are stored with the run. */
  readonly config: Schema
  /**
   * Called once, where the run is started: opens the input, plans the output, and defines how the volume is cut into blocks.
   */
  plan(config: z.output<Schema>, context: PlanContext): TaskPlan | Promise<TaskPlan>
  /** Called once per worker: opens the resources that every block needs, and returns the function that processes one block. */
  setup(config: z.output<Schema>, context: SetupContext): ProcessBlock | Promise<ProcessBlock>
  /** Before a block: true skips it. After it: false fails the attempt. */
  readonly isDone?: IsDone<z.output<Schema>>
  /**
   * What one worker needs for the task: `{ cpu: 1, gpu: 1, memoryGb: 4 }`, any names. The run's `resources` limit how many workers
   * process its blocks at a time. @default { cpu: 1 }
   */
  readonly requires?: Resources
  /** As in `RunOptions`, for this task. @default that of the run */
  readonly maxFailures?: number
  /** URL of the module that exports this task. @default the file that calls `defineTask` */
  readonly module?: string
}
