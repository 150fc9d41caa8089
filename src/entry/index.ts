// The library, `import … from 'bellis'`. Importing it does no work and opens nothing.
export { z } from 'zod'
export { DTYPES, type DType, type Scalar, type TypedArray, typedArray } from '../core/array/dtype.ts'
export {
  BlockError,
  BlockwiseError,
  ConfigError,
  type ErrorCode,
  InfrastructureError,
  type WireError,
} from '../core/errors.ts'
export type {
  BlockFailure,
  ControlEvent,
  JobsReport,
  RetriedTask,
  RunEvent,
  TaskCounts,
  TaskCounts as TaskState,
  UsedResources,
} from '../core/events.ts'
export {
  addCoordinates,
  type Coordinate,
  ceilDivide,
  coordinate,
  countElements,
  equalCoordinates,
  floorDivide,
  maxCoordinates,
  minCoordinates,
  multiplyCoordinates,
  subtractCoordinates,
  type Unit,
} from '../core/geometry/coordinate.ts'
export {
  type Context,
  containsRoi,
  contextOf,
  equalRois,
  fromVoxels,
  growRoi,
  intersectRoi,
  isAlignedRoi,
  isEmptyRoi,
  meetsRoi,
  type Roi,
  roi,
  roiBetween,
  roiEnd,
  shiftRoi,
  showRoi,
  snapRoi,
  toVoxels,
  uniteRoi,
} from '../core/geometry/roi.ts'
export { parseRoi, showRoiInNm } from '../core/geometry/roi-text.ts'
export { toNanometers, type WorldUnit } from '../core/geometry/world-unit.ts'
export { type Block, type BlockGrid, createBlockGrid } from '../core/grid/block-grid.ts'
export type { BlockGridOptions, Fit } from '../core/grid/grid-options.ts'
export { largestDivisor } from '../core/grid/shared-chunks.ts'
export type { BlockOutcome, SchedulerOptions } from '../core/scheduling/block-scheduler.ts'
export { createScheduler, type ScheduledBlock, type Scheduler } from '../core/scheduling/scheduler.ts'
export type { SchedulerTask } from '../core/scheduling/scheduler-task.ts'
export type { Resources } from '../core/workers/resources.ts'
export type { WorkerExit } from '../core/workers/worker-state.ts'
export type { ArrayAxis, ArrayDescription, CreateArrayOptions } from '../ports/chunked-array.ts'
export type { LaunchedWorker, WorkerLauncher } from '../ports/worker-launcher.ts'
export type { RunLimits } from '../runtime/coordinator/run-limits.ts'
export type { RunResult, TaskResult, WorkersResult } from '../runtime/coordinator/run-result.ts'
export {
  definePipeline,
  defineTask,
  type PipelineDefinition,
  type PipelineOptions,
  type TaskDefinition,
} from '../runtime/tasks/define-task.ts'
export type { PlannedOutput, PlannedPipeline, PlannedTask } from '../runtime/tasks/planned-task.ts'
export type { ClosureTask, NodeOptions, TaskLike, TaskNode } from '../runtime/tasks/task-node.ts'
export type {
  BlockContext,
  ConfigSchema,
  IsDone,
  PlanArrays,
  PlanContext,
  ProcessBlock,
  SetupArrays,
  SetupContext,
  TaskBlock,
  TaskOptions,
  TaskPlan,
} from '../runtime/tasks/task-options.ts'
export type { CreateVolumeOptions } from '../runtime/volumes/create-volume.ts'
export { cropTo, pasteInto } from '../runtime/volumes/crop.ts'
export type { ReadOptions, VolumeArray, VolumeDescription, Voxels } from '../runtime/volumes/volume-array.ts'
export { createArray, openArray } from './arrays.ts'
export { type CommandTaskOptions, commandTask } from './command-task.ts'
export { type JoinedBlock, type JoinOptions, joinRun } from './join-run.ts'
export type { DashboardRequest } from './pages/dashboard-thread.ts'
export { planTasks, type Run, runBlockwise, startRun } from './run.ts'
export type { RunOptions } from './run-options.ts'
export type { PoolKind, TaskPool } from './workers/pools.ts'
export type { Invitation, NetworkOptions } from './workers/worker-pool.ts'
