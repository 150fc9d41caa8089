// The library: what `import … from 'bellis'` gives. Importing it does no work and opens nothing.
export { z } from 'zod'
export type { DType, Scalar, TypedArray } from '../core/array/dtype.ts'
export { DTYPES, typedArray } from '../core/array/dtype.ts'
export type { ErrorCode, WireError } from '../core/errors.ts'
export { BlockError, BlockwiseError, ConfigError, InfrastructureError } from '../core/errors.ts'
export type { BlockFailure, JobsReport, RunEvent, TaskCounts, TaskCounts as TaskState } from '../core/events.ts'
export type { Coordinate, Unit } from '../core/geometry/coordinate.ts'
export {
  addCoordinates,
  ceilDivide,
  coordinate,
  countElements,
  equalCoordinates,
  floorDivide,
  maxCoordinates,
  minCoordinates,
  multiplyCoordinates,
  subtractCoordinates,
} from '../core/geometry/coordinate.ts'
export type { Context, Roi } from '../core/geometry/roi.ts'
export {
  containsRoi,
  contextOf,
  equalRois,
  fromVoxels,
  growRoi,
  intersectRoi,
  isAlignedRoi,
  isEmptyRoi,
  meetsRoi,
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
export type { WorldUnit } from '../core/geometry/world-unit.ts'
export { toNanometers } from '../core/geometry/world-unit.ts'
export type { Block, BlockGrid } from '../core/grid/block-grid.ts'
export { createBlockGrid } from '../core/grid/block-grid.ts'
export type { BlockGridOptions, Fit } from '../core/grid/grid-options.ts'
export { largestDivisor } from '../core/grid/shared-chunks.ts'
export type { BlockOutcome, SchedulerOptions } from '../core/scheduling/block-scheduler.ts'
export type { ScheduledBlock, Scheduler } from '../core/scheduling/scheduler.ts'
export { createScheduler } from '../core/scheduling/scheduler.ts'
export type { SchedulerTask } from '../core/scheduling/scheduler-task.ts'
export type { Resources } from '../core/workers/resources.ts'
export type { WorkerExit } from '../core/workers/worker-life.ts'
export type { ArrayAxis, ArrayDescription, CreateArrayOptions } from '../ports/chunked-array.ts'
export type { LaunchedWorker, WorkerLauncher } from '../ports/worker-launcher.ts'
export type { RunResult, TaskResult, WorkersResult } from '../runtime/coordinator/run-result.ts'
export type { PipelineDefinition, PipelineOptions, TaskDefinition } from '../runtime/tasks/define-task.ts'
export { definePipeline, defineTask } from '../runtime/tasks/define-task.ts'
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
export type { CommandTaskOptions } from './command-task.ts'
export { commandTask } from './command-task.ts'
export type { JoinedBlock, JoinOptions } from './join-run.ts'
export { joinRun } from './join-run.ts'
export type { DashboardRequest } from './pages/dashboard-thread.ts'
export type { Run, RunOptions } from './run.ts'
export { planTasks, runBlockwise, startRun } from './run.ts'
export type { Invitation, NetworkOptions, PoolKind } from './workers/worker-pool.ts'
