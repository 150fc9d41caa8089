import type { StoreStatus } from '../../core/events.ts'
import type { ResourceBudget } from '../../core/workers/resources.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Listener } from '../../ports/listener.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/planned-task.ts'
import type { EventStream } from './event-stream.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { SessionKeeper } from './workers/saved-sessions.ts'

export interface RunPipelineOptions {
  /** The launcher of a task's workers; tasks with the same launcher share workers. undefined: workers join by themselves. */
  launcherOf(task: PlannedTask): WorkerLauncher | undefined
  /** Accepts workers that connect by themselves. Those that join do the tasks that have a module. @default none */
  readonly listener?: Listener
  /** How many workers to start, for all tasks together. */
  readonly workers: number
  readonly clock: Clock
  /** What the workers share. @default unlimited */
  readonly resources?: RunResources
  /** Further attempts of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** How long a block may take before its worker is ended, ms. @default no limit */
  readonly timeoutMs?: number
  /** How long setting up a task may take, ms. @default no limit without `timeoutMs`; with it the larger of 600000 and `timeoutMs` */
  readonly setupTimeoutMs?: number
  /** How many dead workers in a row are replaced without a completed block before their task is abandoned. @default 5 */
  readonly maxWorkerRestarts?: number
  /** How long a worker that lost its connection may take to reconnect before its blocks go to others, ms. @default 10000 */
  readonly reconnectMs?: number
  /** Opens transient arrays. */
  readonly arrays?: ArrayStore
  /** The folder that relative paths in configurations refer to, for workers elsewhere. */
  readonly folder?: string
  /** Whether a block counts as done only when its output has been synced to disk. @default false */
  readonly fsync?: boolean
  /** The name by which workers elsewhere find a task's module. @default its URL */
  moduleName?(url: string): string
  /** How long running blocks may continue after `signal`, ms. @default 5000 */
  readonly stopGraceMs?: number
  /** Stops handing out blocks; running ones may finish. */
  readonly signal?: AbortSignal
  readonly events?: EventStream
  /** Saves which workers hold which blocks, for a coordinator that is started again. @default not saved */
  readonly sessions?: SessionKeeper
  /** The record: what was done before, and what is done now. @default none */
  readonly progress?: RunProgress
}

/** The resources that the workers of a run share. */
export interface RunResources {
  readonly budget: ResourceBudget
  /** Whether workers that join use the budget too; otherwise they bring their own resources. */
  readonly countsJoined: boolean
  /** Whether started workers keep what a task's set-up needs until they end, and are replaced if another task needs it. */
  readonly bindsWorkers: boolean
}

/** The record of a run's progress. */
export interface RunProgress {
  readonly recorder: ProgressRecorder
  /** Aborted when the record can no longer be written, with the error as its reason: the run stops. */
  readonly failed: AbortSignal
  /** Sets the receiver of the record's status: while it is out of reach, no blocks are handed out. */
  onRecordStatus(receive: (status: StoreStatus) => void): void
}
