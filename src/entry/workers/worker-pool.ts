import { join, resolve } from 'node:path'
import type { BatchQueue } from '../../adapters/batch/batch-queue.ts'
import { ownCertificate } from '../../adapters/links/own-certificate.ts'
import { listenTcp } from '../../adapters/links/tcp-listener.ts'
import { processLauncher } from '../../adapters/processes/process-launcher.ts'
import { threadLauncher } from '../../adapters/threads/thread-launcher.ts'
import { isLoopback } from '../../core/addresses.ts'
import type { JobsReport } from '../../core/events.ts'
import { given } from '../../core/given.ts'
import type { Listener } from '../../ports/listener.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import { jobLauncher } from '../../runtime/launchers/job-launcher.ts'
import { ownModule } from '../../runtime/package-place.ts'
import { systemClock } from '../clock.ts'
import { addressOf, writeContextFile } from '../run-folder/run-context.ts'
import { workersLock } from '../run-folder/run-folder.ts'
import { mergedReports, queueOf } from './batch-queues.ts'
import { readLogEnd } from './log-end.ts'
import { type PoolGroup, poolGroups } from './pool-groups.ts'
import type { BatchOptions, PoolKind, TaskPool } from './pools.ts'

/** How many workers the suggested command for a batch system adds. */
const SUGGESTED_JOBS = 4

/** Network options for the workers of a run. */
export interface NetworkOptions extends BatchOptions {
  /** The address to listen on for workers. @default '127.0.0.1', this machine only; '0.0.0.0' with a batch system */
  readonly host?: string
  /** The port to listen on. @default a free one */
  readonly port?: number
  /**
   * PEM. Workers connect over TLS, with this certificate. @default a certificate that is made for this start of the run, unless `host` is a
   * loopback address or `plain` is true
   */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Workers connect without TLS: others can read what they send, and can take over their connections. @default false */
  readonly plain?: boolean
  /**
   * Where the blocks of single tasks are processed, by the ids of the tasks, instead of the run's pool:
   * `{ predict: { pool: 'slurm', slurm: '--partition=gpu --gres=gpu:1' } }`. A task with an entry has workers of its own, up to the
   * run's number of workers. @default none
   */
  readonly taskPools?: Readonly<Record<string, TaskPool>>
  /**
   * The largest size of the log of each worker that is a process or a thread, in MB (2^20 bytes): the first lines of a larger one are replaced by
   * one that says how much was left out. The logs of jobs are written by the jobs themselves, and have no limit. @default no limit
   */
  readonly maxLogMb?: number
  /**
   * The program that a job of a batch system runs as its worker, and its arguments; the run's folder is added as the last one.
   * @default `bellis worker`, with this Node
   */
  readonly workerCommand?: readonly string[]
}

/** How further workers can join a running run. */
export interface Invitation {
  /** The run's folder: `bellis worker <folder>`. */
  readonly folder: string
  /** The value of BELLIS_CONTEXT for workers that can't see that folder. A secret. */
  readonly context: string
  /** The command that adds workers as jobs, on any machine that sees the folder: sbatch, or qsub with the pool `sge`, and so on. */
  readonly submit: string
  /** Whether only workers of this machine can connect. */
  readonly isLoopback: boolean
}

/** The workers of a run, and the invitation for others. Disposing ends all of them. */
export interface WorkerPool extends AsyncDisposable {
  /** The launcher of a task's workers; undefined if the run starts none. */
  launcherOf(taskId: string): WorkerLauncher | undefined
  readonly listener: Listener
  readonly invitation: Invitation
}

/**
 * Listens for workers, writes the run's context file, and makes the launchers.
 * @param folder the run's
 * @param onJobs called when the state of the workers' jobs in a batch system has changed
 * @throws ConfigError `INVALID_CONFIG` when the address, the certificate or an option of a batch system can't be used,
 * `JOB_REFUSED` when the batch system rejects a worker
 */
export async function openWorkerPool(
  pool: PoolKind | WorkerLauncher,
  folder: string,
  options: NetworkOptions,
  onJobs: (report: JobsReport) => void = () => {},
): Promise<WorkerPool> {
  const groups = poolGroups(pool, folder, options)
  const queues = groups.flatMap(({ queue }) => queue ?? [])
  const { host = queues.length > 0 ? '0.0.0.0' : '127.0.0.1', port, tls, plain = false } = options
  const { workerCommand, slurm } = options
  const byHand = groups[0]?.queue ?? queueOf('slurm', { folder, workerCommand, options: slurm })
  for (const queue of queues) await queue.check()
  const listener = await listenTcp({
    host,
    ...(port === undefined ? {} : { port }),
    ...given({ tls: tls ?? (plain || isLoopback(host) ? undefined : ownCertificate()) }),
  })
  let contextFile: Disposable | undefined
  try {
    const { local, remote, ...address } = await addressOf(listener, host)
    contextFile = writeContextFile(folder, remote)
    const launchers = launchersOf({ groups, folder, context: local, onJobs, queues, maxLogMb: options.maxLogMb })
    const cancelJobs = () => {
      for (const queue of new Set([...queues, byHand])) queue.cancelOnExit()
    }
    process.on('exit', cancelJobs)
    return {
      launcherOf: launchers.of,
      listener: launchers.main?.intercept?.(listener) ?? listener,
      invitation: {
        folder: resolve(folder),
        context: remote,
        ...address,
        // Evaluated on request only, because it writes the script, and the run may still be refused.
        get submit() {
          return byHand.commandFor(SUGGESTED_JOBS)
        },
      },
      async [Symbol.asyncDispose]() {
        await Promise.all(launchers.all.map((launcher) => launcher[Symbol.asyncDispose]()))
        process.off('exit', cancelJobs)
        contextFile?.[Symbol.dispose]()
        await listener[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    contextFile?.[Symbol.dispose]()
    await listener[Symbol.asyncDispose]()
    throw error
  }
}

/** The launchers of a run, one for each group of workers. */
interface Launchers {
  readonly main: WorkerLauncher | undefined
  readonly all: readonly WorkerLauncher[]
  readonly of: (taskId: string) => WorkerLauncher | undefined
}

interface LauncherSetting {
  readonly groups: readonly PoolGroup[]
  readonly folder: string
  readonly context: string
  readonly onJobs: (report: JobsReport) => void
  /** Those of workers with more memory are added. */
  readonly queues: BatchQueue[]
  readonly maxLogMb: number | undefined
}

function launchersOf({ groups, folder, context, onJobs, queues, maxLogMb }: LauncherSetting): Launchers {
  const reportOf = mergedReports(onJobs)
  const jobsOf = (queue: BatchQueue, larger?: PoolGroup['larger']): WorkerLauncher =>
    jobLauncher({
      queue,
      clock: systemClock,
      onReport: reportOf(queue),
      larger(factor) {
        const other = larger?.(factor)
        if (other === undefined) return undefined
        queues.push(other)
        return jobsOf(other)
      },
    })
  const started = groups.map(({ pool, queue, larger }) => {
    if (queue !== undefined) return jobsOf(queue, larger)
    return typeof pool === 'object' ? pool : launcherOf(pool, { folder, context, maxLogMb })
  })
  const [main] = started
  return {
    main,
    all: started.flatMap((launcher) => launcher ?? []),
    of(taskId) {
      const own = groups.findIndex(({ tasks }) => tasks?.includes(taskId))
      return own < 0 ? (main?.forTask?.(taskId) ?? main) : started[own]
    },
  }
}

function launcherOf(
  pool: PoolKind,
  { folder, context, maxLogMb }: Pick<LauncherSetting, 'folder' | 'context' | 'maxLogMb'>,
): WorkerLauncher | undefined {
  const logs = {
    logFileOf: (workerId: string) => join(folder, 'logs', `${workerId}.log`),
    readLog: readLogEnd,
    maxLogBytes: maxLogMb === undefined ? undefined : maxLogMb * 2 ** 20,
  }
  const program = (name: string) => new URL(ownModule(`entry/workers/${name}`))
  switch (pool) {
    case 'process':
      return processLauncher({
        program: program('worker-process'),
        context,
        ...logs,
        lockFile: workersLock(folder),
      })
    case 'thread':
      return threadLauncher({ program: program('worker-thread'), ...logs })
    // The jobs of a batch system have launchers of their own.
    case 'none':
    case 'slurm':
    case 'sge':
    case 'pbs':
    case 'lsf':
    case 'kubernetes':
      return undefined
    default:
      return pool satisfies never
  }
}
