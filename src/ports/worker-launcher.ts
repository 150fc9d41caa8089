import type { ServerMessage } from '../core/protocol/messages.ts'
import type { WorkerExit } from '../core/workers/worker-state.ts'
import type { Channel } from './channel.ts'
import type { Listener } from './listener.ts'

/** One started worker. */
export interface LaunchedWorker {
  /** The connection to it. Absent: it connects by itself, to the run's listener, with the id that it was given. */
  readonly channel?: Channel<ServerMessage>
  /** Whether a worker with a channel runs apart from this thread, so that it may fall silent. @default false */
  readonly runsApart?: boolean
  /** The file of its output, if there is one and it is known by now. */
  readonly logFile?: string | undefined
  /** Resolves when it has ended and everything it sent has been received. Never rejects. */
  readonly exited: Promise<WorkerExit>
  /** Ends it at once, whatever it is doing. */
  kill(): void
  /**
   * Informs the launcher about the worker's connection: it was established (`in`), it ended and the worker may
   * reconnect (`out`), or the worker has said goodbye (`left`). For launchers whose workers connect by themselves and
   * which query another system for their state.
   */
  noteConnection?(event: 'in' | 'out' | 'left'): void
}

/** Starts workers somewhere: processes, threads, jobs. */
export interface WorkerLauncher extends AsyncDisposable {
  /**
   * @param workerId unique in this run
   * @param session the secret that it shows, with its id, when it connects to the listener (`BELLIS_WORKER=<workerId>:<session>`)
   * @throws InfrastructureError `WORKER_DIED` if it cannot be started at all
   */
  launch(workerId: string, session: string): Promise<LaunchedWorker>
  /**
   * The launcher of the workers of one task, which do no other one; asked once per task. Tasks with the same launcher share workers. It is
   * disposed by this one. undefined, or absent: this one.
   */
  forTask?(taskId: string): WorkerLauncher | undefined
  /**
   * A launcher of workers with this many times the memory, which is disposed by this one; the same one for the same factor. undefined, or
   * absent: there are none.
   */
  withMemory?(factor: number): WorkerLauncher | undefined
  /** Whether its workers share the memory of one machine, so that fewer of them leave more to each. @default false */
  readonly sharesMemory?: boolean
  /** Has further workers started on other hosts than these. @returns whether it can do that @default it can't */
  avoid?(hosts: readonly string[]): boolean
  /** Stands between the run and the workers that connect to its listener. @default the listener itself */
  intercept?(listener: Listener): Listener
}
