import type { StoreStatus } from '../../core/events.ts'
import type { ResourceBudget } from '../../core/workers/resources.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Listener } from '../../ports/listener.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/plan-pipeline.ts'
import type { EventStream } from './event-stream.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { SessionKeeper } from './workers/saved-sessions.ts'

export interface RunPipelineOptions {
  /** Starts the workers of a task; tasks with the same launcher share its workers. undefined: they come by themselves. */
  launcherOf(task: PlannedTask): WorkerLauncher | undefined
  /** Where workers come in that no launcher holds a link to. They do the tasks that have a module. @default nowhere */
  readonly listener?: Listener
  /** Workers in all, for all tasks together. */
  readonly workers: number
  readonly clock: Clock
  /** What the workers share. @default nothing is short */
  readonly resources?: RunResources
  /** Further tries of a block that failed. @default 2 */
  readonly maxRetries?: number
  /** What one block may take; its worker is ended then. @default no limit */
  readonly timeoutMs?: number
  /** What setting a task up in a worker may take. @default no limit without `timeoutMs`; with it 600000, or as long as a block */
  readonly setupTimeoutMs?: number
  /** How often in a row a worker that died is replaced without a completed block, before its task is abandoned. @default 5 */
  readonly maxWorkerRestarts?: number
  /** How long a worker whose link ended may take to come back before its blocks go to others. @default 10000 */
  readonly reconnectMs?: number
  /** Where transient arrays are. */
  readonly arrays?: ArrayStore
  /** What relative paths in configurations start from, for workers elsewhere. */
  readonly folder?: string
  /** A block is done when what it wrote is on the disk itself. @default false */
  readonly fsync?: boolean
  /** How workers elsewhere are told a task's module. @default by its URL */
  moduleName?(url: string): string
  /** How long running blocks may go on after `signal`. @default 5000 */
  readonly stopGraceMs?: number
  /** Stops handing out blocks, lets the running ones finish. */
  readonly signal?: AbortSignal
  readonly events?: EventStream
  /** Where it is kept which workers are at which blocks, for a coordinator that is started again. @default nowhere */
  readonly sessions?: SessionKeeper
  /** What was done before, and where it is written down what is done now. @default nothing and nowhere */
  readonly progress?: RunProgress
}

/** What a run's workers have together, and how they use it. */
export interface RunResources {
  readonly budget: ResourceBudget
  /** Whether workers that come by themselves use of it, too, and bring nothing of their own. */
  readonly countsJoined: boolean
  /** Whether started workers hold what a task's set-up needs until they end, and are replaced when that is needed elsewhere. */
  readonly bindsWorkers: boolean
}

/** The progress of a run, kept somewhere. */
export interface RunProgress {
  readonly recorder: ProgressRecorder
  /** Aborted when it can't be kept any more, with the error as its reason: the run stops. */
  readonly failed: AbortSignal
  /** Has the run told when the store is out of reach: no block is handed out until it is back. */
  onRecordStatus(receive: (status: StoreStatus) => void): void
}
