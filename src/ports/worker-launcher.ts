import type { ServerMessage } from '../core/protocol/messages.ts'
import type { Channel } from './channel.ts'

/** How a worker ended. */
export interface WorkerExit {
  /** For people: `exit code 1`, `killed by SIGKILL`. */
  readonly reason: string
  /** The last lines of its own output. */
  readonly lastOutput: string
}

/** One started worker. */
export interface LaunchedWorker {
  /** The link to it. Absent: it comes in by itself, through the run's listener, with the name that it was given. */
  readonly channel?: Channel<ServerMessage>
  /** Where to look for its output, if that is kept and known by now. */
  readonly logFile?: string | undefined
  /** Resolves when it has ended and everything it sent has been received. Never rejects. */
  readonly exited: Promise<WorkerExit>
  /** Ends it at once, whatever it does. */
  kill(): void
  /**
   * Tells a launcher whose workers come in by themselves, and that must ask others whether they live, what is seen of the
   * link: it came `in`, it is `out` (and may come back), or the worker has said goodbye and `left` for good.
   */
  onLink?(event: 'in' | 'out' | 'left'): void
}

/** Starts workers somewhere: processes, threads, jobs. */
export interface WorkerLauncher extends AsyncDisposable {
  /**
   * @param workerId its name in this run, never given twice
   * @param session what it shows, with its name, when it comes in through the listener (`BELLIS_WORKER=<workerId>:<session>`)
   * @throws InfrastructureError `WORKER_DIED` when it can't be started at all
   */
  launch(workerId: string, session: string): Promise<LaunchedWorker>
}
