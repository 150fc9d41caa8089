// The library: what `import … from 'bellis'` gives. Importing it does no work and opens nothing.
export { z } from 'zod'
export type { DType, Scalar, TypedArray } from '../core/array/dtype.ts'
export { DTYPES, typedArray } from '../core/array/dtype.ts'
export type { ErrorCode, WireError } from '../core/errors.ts'
export { BlockError, BlockwiseError, ConfigError, InfrastructureError } from '../core/errors.ts'
export type { BlockFailure, JobsReport, RunEvent, TaskCounts } from '../core/events.ts'
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
export type { WorldUnit } from '../core/geometry/placement.ts'
export { parseRoi, showRoiInNm, toNanometers } from '../core/geometry/placement.ts'
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
export type { Block, BlockGrid, BlockGridOptions, Fit } from '../core/grid/block-grid.ts'
export { createBlockGrid } from '../core/grid/block-grid.ts'
export { largestDivisor } from '../core/grid/shared-chunks.ts'
export type {
  BlockOutcome,
  ScheduledBlock,
  Scheduler,
  SchedulerOptions,
  SchedulerTask,
  TaskState,
} from '../core/scheduling/scheduler.ts'
export { createScheduler } from '../core/scheduling/scheduler.ts'
export type { Resources } from '../core/workers/resources.ts'
export type { WorkerExit } from '../core/workers/worker-state.ts'
export type { ArrayAxis, ArrayDescription, CreateArrayOptions } from '../ports/chunked-array.ts'
export type { LaunchedWorker, WorkerLauncher } from '../ports/worker-launcher.ts'
export type { RunResult, TaskResult, WorkersResult } from '../runtime/coordinator/run-result.ts'
export type {
  BlockContext,
  ClosureTask,
  ConfigSchema,
  IsDone,
  NodeOptions,
  PipelineDefinition,
  PipelineOptions,
  PlanArrays,
  PlanContext,
  ProcessBlock,
  SetupArrays,
  SetupContext,
  TaskBlock,
  TaskDefinition,
  TaskLike,
  TaskNode,
  TaskOptions,
  TaskPlan,
} from '../runtime/tasks/define-task.ts'
export { definePipeline, defineTask } from '../runtime/tasks/define-task.ts'
export type { PlannedOutput, PlannedPipeline, PlannedTask } from '../runtime/tasks/plan-pipeline.ts'
export { cropTo, pasteInto } from '../runtime/volumes/crop.ts'
export type {
  CreateVolumeOptions,
  ReadOptions,
  VolumeArray,
  VolumeDescription,
  Voxels,
} from '../runtime/volumes/volume-array.ts'
export { createArray, openArray } from './arrays.ts'
export type { CommandTaskOptions } from './command-task.ts'
export { commandTask } from './command-task.ts'
export type { JoinedBlock, JoinOptions } from './join-run.ts'
export { joinRun } from './join-run.ts'
export type { DashboardRequest } from './pages/dashboard-thread.ts'
export type { Run, RunOptions } from './run.ts'
export { planTasks, runBlockwise, startRun } from './run.ts'
export type { Invitation, NetworkOptions, PoolKind } from './workers/worker-pool.ts'
