import type { StoreStatus } from '../../core/events.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import type { ResourceBudget } from '../../core/workers/resources.ts'
import type { ValidLeases } from '../../core/workers/valid-leases.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CommandSource } from '../../ports/command-source.ts'
import type { Listener } from '../../ports/listener.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import type { PlannedTask } from '../tasks/planned-task.ts'
import type { EventStream } from './event-stream.ts'
import type { ProgressRecorder } from './progress-recorder.ts'
import type { RunLimits } from './run-limits.ts'
import type { SessionKeeper } from './workers/saved-sessions.ts'

export interface RunPipelineOptions extends RunLimits {
  /**
   * The launcher of a task's workers; tasks with the same launcher share workers. undefined if only workers that join do the
   * task.
   */
  launcherOf(task: PlannedTask): WorkerLauncher | undefined
  /** Accepts workers that connect by themselves. Those that join do the tasks that have a module. @default none */
  readonly listener?: Listener
  /** How many workers to start, for all tasks together. */
  readonly workers: number
  /** The number of workers follows the work, from this many to `workers`. @default always `workers` */
  readonly minWorkers?: number
  readonly clock: Clock
  /** What the workers share. @default unlimited */
  readonly resources?: RunResources
  /** Opens transient arrays. */
  readonly arrays?: ArrayStore
  /** The folder to which relative paths in configurations refer, for workers on other machines. */
  readonly folder?: string
  /** The name by which workers on other machines find a task's module. @default its URL */
  moduleName?(url: string): string
  readonly events?: EventStream
  /** Saves which workers hold which blocks, for a restarted coordinator. @default not saved */
  readonly sessions?: SessionKeeper
  /** The record of the blocks done before and during this start. @default none */
  readonly progress?: RunProgress
  /** The arrays that the run created, and the id in their marks. */
  readonly owns?: WireTask['owns']
  /** Tells workers that can't be reached which leases still hold. @default nobody is told */
  readonly fence?: LeaseFence
  /** Commands of the user for the running run. @default none */
  readonly commands?: CommandSource
  /** Aborted when the run can't go on, for example because its output was taken, with the error as its reason: the run stops. */
  readonly failed?: AbortSignal
}

/** Says, where workers look before they write, which leases hold: those that were cut off may not know that their blocks went to others. */
export interface LeaseFence {
  /** No earlier start of the run has given a lease this number, or a higher one. */
  readonly firstLease: number
  /** @throws InfrastructureError, ConfigError if it can't be said */
  allow(leases: ValidLeases): void
}

/** The resources that the workers of a run share. */
export interface RunResources {
  readonly budget: ResourceBudget
  /** Whether workers that join use the budget too; otherwise they bring their own resources. */
  readonly countsJoined: boolean
  /** Whether started workers keep what a task's set-up needs until they end, and are replaced if another task needs it. */
  readonly bindsWorkers: boolean
  /** Whether there is a processor for every worker, even if the user asks for more workers during the run. @default false */
  readonly cpuFollowsWorkers?: boolean
}

/** Says in the record and in the outputs that they belong together: no earlier state of either that is put back is believed any more. */
export interface RecordLineage {
  /** Blocks were forgotten and may be done again once this resolves. A failure is reported in any case. */
  renew(): Promise<void>
  /** Chunks of transient arrays may be removed once this resolves: the disk itself has the record of all that was done before. */
  noteRemoval(): Promise<void>
}

/** The record of a run's progress. */
export interface RunProgress {
  readonly recorder: ProgressRecorder
  /** Keeps record and outputs together. @default nothing does */
  readonly lineage?: RecordLineage
  /** Aborted when the record can no longer be written, with the error as its reason: the run stops. */
  readonly failed: AbortSignal
  /** Sets the receiver of the record's status: while it is out of reach, no blocks are handed out. */
  onRecordStatus(receive: (status: StoreStatus) => void): void
}
