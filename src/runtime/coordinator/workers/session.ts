import type { WireError } from '../../../core/errors.ts'
import type { BlockFailure } from '../../../core/events.ts'
import type { ServerMessage, WorkerUsage } from '../../../core/protocol/messages.ts'
import type { Durations } from '../../../core/workers/durations.ts'
import type { Units } from '../../../core/workers/resource-units.ts'
import type { Resources } from '../../../core/workers/resources.ts'
import type { Channel } from '../../../ports/channel.ts'
import type { LaunchedWorker, WorkerExit, WorkerLauncher } from '../../../ports/worker-launcher.ts'
import type { PlannedTask } from '../../tasks/planned-task.ts'

/** How often in a row workers have died. */
export interface Deaths {
  restartsInARow: number
  /** The first worker that was started since a restart was last counted. */
  countsFrom: number
}

/** A task of a run that is on. */
export interface RunningTask extends Deaths {
  readonly planned: PlannedTask
  readonly id: string
  /** Its place in the scheduler. */
  readonly number: number
  readonly pool: Pool
  /** What a worker needs for it. */
  readonly requires: Resources
  /** Moving average of a block's time; undefined before the first. */
  averageMs?: number
  readonly failures: BlockFailure[]
  readonly durations: Durations
  /** Blocks at one of which a worker died: leased one by one. */
  readonly suspects: Set<number>
  error?: WireError
  /** It was told that it is further ahead than it should be. */
  isToldBeyond: boolean
}

/** Blocks that a worker was given together. */
export interface Lease {
  readonly id: number
  readonly task: RunningTask
  readonly blocks: readonly number[]
  /** How many of them have been reported. */
  reported: number
  /** Blocks of it that are not held for it: what an earlier start of the run has recorded of them holds. */
  readonly gone?: ReadonlySet<number>
  /** When it was given, by the run's clock. */
  readonly since: number
}

/** One worker, from its start or its arrival to its end; its link may break and come back meanwhile. */
export interface Session {
  readonly id: string
  /** Counts up over all workers of the run. */
  readonly number: number
  /** What it shows when it comes back. */
  readonly key: string
  readonly pool: Pool
  /** It came by itself: no one replaces it, and it does not count among the workers that were asked for. */
  readonly isJoined: boolean
  /** `away`: its link has ended, and it has a while to come back. */
  status: 'starting' | 'ready' | 'away' | 'over'
  channel?: Channel<ServerMessage>
  /** Whether the link came in through the listener. */
  isRemote: boolean
  worker?: LaunchedWorker
  /** In the order in which it does them. */
  readonly leases: Lease[]
  /** Taken away from it, and not yet said to be dropped. */
  readonly revoked: Set<number>
  /** Tasks that were described to it. */
  readonly known: Set<RunningTask>
  /** Tasks that it has set up. */
  readonly setUp: Set<RunningTask>
  /** The one that it could not set up. */
  notSetUp?: RunningTask
  /** Leases come with Rois. */
  wantsRois: boolean
  saidGoodbye: boolean
  hadLease: boolean
  /** Blocks that it has done or skipped. */
  completed: number
  /** Why the coordinator ended it, when it did. */
  killed?: WireError
  exit?: WorkerExit
  /** Heartbeats in a row that did not come. */
  quiet: number
  host: string
  /** How long its blocks took it, milliseconds. */
  workingMs: number
  /** What it has needed, as it said last. */
  usage?: WorkerUsage
  /** When it came in for the first time, by the run's clock. */
  cameAt?: number
  /** An earlier start of the run had it: this one holds nothing that could end it. */
  readonly isRestored: boolean
  /** It was there before the coordinator was started again, and has not come back yet. */
  isMissed: boolean
  /** The task whose set-up it holds resources for. */
  boundTo?: RunningTask
  /** Of what that holds, which ones are its own. */
  units: Units
  /** Resources that it uses while it is at blocks. */
  taken?: Resources
  /** It gets no more blocks: it makes room for a worker of another task. */
  isMakingRoom: boolean
  /** Since when it has had no blocks, by the run's clock. */
  idleSince: number
  cancelTimeout?: () => void
  cancelAway?: () => void
}

/**
 * Workers that do the same tasks: those that one launcher starts, and those that come by themselves. Its deaths are those of
 * workers that were at no task.
 */
export interface Pool extends Deaths {
  /** Absent where no worker is started. */
  readonly launcher: WorkerLauncher | undefined
  readonly tasks: RunningTask[]
  /** Workers that were started, and have not ended. */
  readonly launched: Set<Session>
  /** Workers that came by themselves. */
  readonly joined: Set<Session>
}

export function createPool(launcher: WorkerLauncher | undefined): Pool {
  const counts = { restartsInARow: 0, countsFrom: 0 }
  return { launcher, tasks: [], launched: new Set(), joined: new Set(), ...counts }
}

export function createSession(number: number, key: string, pool: Pool, isJoined: boolean, isRestored = false): Session {
  return {
    id: `w${number}`,
    number,
    key,
    pool,
    isJoined,
    status: 'starting',
    isRemote: false,
    leases: [],
    revoked: new Set(),
    known: new Set(),
    setUp: new Set(),
    wantsRois: false,
    saidGoodbye: false,
    hadLease: false,
    completed: 0,
    workingMs: 0,
    quiet: 0,
    isMakingRoom: false,
    idleSince: 0,
    units: {},
    host: '',
    isRestored,
    isMissed: isRestored,
  }
}

/** Of a worker that comes back by itself: what it takes to know it again when the coordinator is started again. */
export interface SavedSession {
  readonly number: number
  readonly key: string
  readonly host: string
  /** The run had it started, by a batch system say. */
  readonly wasLaunched: boolean
  readonly leases: readonly {
    readonly id: number
    readonly taskId: string
    readonly blocks: readonly number[]
    readonly reported: number
  }[]
}

/** The workers that hold blocks, at some moment. */
export interface SavedSessions {
  readonly nextWorker: number
  readonly nextLease: number
  readonly sessions: readonly SavedSession[]
}

/** Where they are kept. */
export interface SessionKeeper {
  /** Those of an earlier start that did not come to its end. */
  readonly saved?: SavedSessions
  /** Never throws: without it blocks are done again, and nothing else. */
  save(sessions: SavedSessions): void
}

/** @param leases those of its leases that are worth it */
export const saveSession = ({ number, key, host, isJoined }: Session, leases: readonly Lease[]): SavedSession => ({
  number,
  key,
  host,
  wasLaunched: !isJoined,
  leases: leases.map(({ id, task, blocks, reported }) => ({ id, taskId: task.id, blocks, reported })),
})

/** Nothing here can end it but its own end: it came by itself, or an earlier start of the run had started it. */
export const isOnItsOwn = ({ isJoined, isRestored }: Session): boolean => isJoined || isRestored
