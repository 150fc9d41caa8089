import type { StoreStatus } from '../../core/events.ts'
import type { ResourceBudget } from '../../core/workers/resources.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Listener } from '../../ports/listener.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/plan-pipeline.ts'
import type { EventStream } from './event-stream.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { RunLimits } from './run-limits.ts'
import type { SessionKeeper } from './workers/session.ts'

export interface RunPipelineOptions extends RunLimits {
  /** Starts the workers of a task; tasks with the same launcher share its workers. undefined: they come by themselves. */
  launcherOf(task: PlannedTask): WorkerLauncher | undefined
  /** Where workers come in that no launcher holds a link to. They do the tasks that have a module. @default nowhere */
  readonly listener?: Listener
  /** Workers in all, for all tasks together. */
  readonly workers: number
  readonly clock: Clock
  /** What the workers share. @default nothing is short */
  readonly resources?: RunResources
  /** Where transient arrays are. */
  readonly arrays?: ArrayStore
  /** What relative paths in configurations start from, for workers elsewhere. */
  readonly folder?: string
  /** How workers elsewhere are told a task's module. @default by its URL */
  moduleName?(url: string): string
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
  onLink(receive: (link: StoreStatus) => void): void
}
