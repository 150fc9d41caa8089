import { randomBytes } from 'node:crypto'
import { basename, join, resolve } from 'node:path'
import type { BatchQueue } from '../../adapters/batch/batch-queue.ts'
import { sgeQueue } from '../../adapters/batch/sge/sge-queue.ts'
import { slurmQueue } from '../../adapters/batch/slurm/slurm-queue.ts'
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
import { OWN_PROGRAM } from '../own-command.ts'
import { addressOf, writeContextFile } from '../run-folder/run-context.ts'
import { workersLock } from '../run-folder/run-folder.ts'
import { readLogEnd } from './log-end.ts'
import type { PoolKind } from './pools.ts'

/** How many workers the suggested command for a batch system adds. */
const SUGGESTED_JOBS = 4

/** Network options for the workers of a run. */
export interface NetworkOptions {
  /** The address to listen on for workers. @default '127.0.0.1', this machine only; '0.0.0.0' with SLURM and SGE */
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
  /** Options of sbatch for the pool `slurm`: `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly slurm?: string
  /** Options of qsub for the pool `sge`: `-q short.q -l h_rt=4:00:00,mem_free=4G`. @default '' */
  readonly sge?: string
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
  /** The command that adds workers as jobs, on any machine that sees the folder: sbatch, or qsub with the pool `sge`. */
  readonly submit: string
  /** Whether only workers of this machine can connect. */
  readonly isLoopback: boolean
}

/** The workers of a run, and the invitation for others. Disposing ends all of them. */
export interface WorkerPool extends AsyncDisposable {
  readonly launcher: WorkerLauncher | undefined
  readonly listener: Listener
  readonly invitation: Invitation
}

/**
 * Listens for workers, writes the run's context file, and makes the launcher.
 * @param folder the run's
 * @param onJobs called when the state of the workers' jobs in a batch system has changed
 * @throws ConfigError `INVALID_CONFIG` when the address, the certificate or an option of a batch system can't be used,
 * `JOB_REFUSED` when the batch system rejects a worker
 */
export async function openWorkerPool(
  pool: PoolKind | WorkerLauncher,
  folder: string,
  {
    host = isBatch(pool) ? '0.0.0.0' : '127.0.0.1',
    port,
    tls,
    plain = false,
    slurm,
    sge,
    workerCommand,
  }: NetworkOptions,
  onJobs?: (report: JobsReport) => void,
): Promise<WorkerPool> {
  const queue =
    pool === 'sge' ? queueOf(sgeQueue, folder, workerCommand, sge) : queueOf(slurmQueue, folder, workerCommand, slurm)
  if (isBatch(pool)) await queue.check()
  const listener = await listenTcp({
    host,
    ...(port === undefined ? {} : { port }),
    ...given({ tls: tls ?? (plain || isLoopback(host) ? undefined : ownCertificate()) }),
  })
  let contextFile: Disposable | undefined
  try {
    const { local, remote, ...address } = await addressOf(listener, host)
    contextFile = writeContextFile(folder, remote)
    const jobs = () => jobLauncher({ queue, clock: systemClock, ...(onJobs === undefined ? {} : { onReport: onJobs }) })
    const launcher = typeof pool === 'object' ? pool : isBatch(pool) ? jobs() : launcherOf(pool, folder, local)
    const cancelJobs = () => queue.cancelOnExit()
    process.on('exit', cancelJobs)
    return {
      launcher,
      listener: launcher?.intercept?.(listener) ?? listener,
      invitation: {
        folder: resolve(folder),
        context: remote,
        ...address,
        // Evaluated on request only, because it writes the script, and the run may still be refused.
        get submit() {
          return queue.commandFor(SUGGESTED_JOBS)
        },
      },
      async [Symbol.asyncDispose]() {
        await launcher?.[Symbol.asyncDispose]()
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

const isBatch = (pool: PoolKind | WorkerLauncher): pool is 'slurm' | 'sge' => pool === 'slurm' || pool === 'sge'

/** Does not call the batch system yet. Unless there is another command, its jobs run `bellis worker`, with this Node and this Bellis. */
function queueOf(
  open: typeof slurmQueue,
  folder: string,
  command: readonly string[] = [process.execPath, OWN_PROGRAM, 'worker'],
  options = '',
): BatchQueue {
  return open({
    folder,
    jobName: `bellis-${basename(folder).replace(/[^\w.+-]/g, '_')}-${randomBytes(3).toString('hex')}`,
    command: [...command, resolve(folder)],
    options,
    readLog: readLogEnd,
  })
}

function launcherOf(
  pool: Exclude<PoolKind, 'slurm' | 'sge'>,
  folder: string,
  context: string,
): WorkerLauncher | undefined {
  const logFileOf = (workerId: string) => join(folder, 'logs', `${workerId}.log`)
  const program = (name: string) => new URL(ownModule(`entry/workers/${name}`))
  switch (pool) {
    case 'process':
      return processLauncher({
        program: program('worker-process'),
        context,
        logFileOf,
        readLog: readLogEnd,
        lockFile: workersLock(folder),
      })
    case 'thread':
      return threadLauncher({ program: program('worker-thread'), logFileOf, readLog: readLogEnd })
    case 'none':
      return undefined
    default:
      return pool satisfies never
  }
}
