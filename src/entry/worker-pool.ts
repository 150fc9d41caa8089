import { randomBytes } from 'node:crypto'
import { basename, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { processLauncher } from '../adapters/processes/process-launcher.ts'
import { type SlurmQueue, slurmQueue } from '../adapters/slurm/slurm-queue.ts'
import { listenTcp } from '../adapters/tcp/tcp-listener.ts'
import { threadLauncher } from '../adapters/threads/thread-launcher.ts'
import type { Listener } from '../ports/listener.ts'
import type { WorkerLauncher } from '../ports/worker-launcher.ts'
import { jobLauncher } from '../runtime/job-launcher.ts'
import type { JobsReport } from '../runtime/run-events.ts'
import { systemClock } from './clock.ts'
import { addressOf, writeContextFile } from './run-context.ts'
import { workersLock } from './run-folder.ts'

/** Where a run's workers are: started by it, or by whoever reads what it prints. */
export type PoolKind = 'process' | 'thread' | 'slurm' | 'none'

/** How many workers the printed sbatch line adds. */
const SUGGESTED_JOBS = 4

/** How a run is reached by workers. */
export interface NetworkOptions {
  /** Where to listen for workers. @default '127.0.0.1': this machine alone; with SLURM '0.0.0.0' */
  readonly host?: string
  /** @default one that is free */
  readonly port?: number
  /** PEM: workers come in by TLS then. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Options of sbatch for workers that are jobs of SLURM: `--partition=short --time=4:00:00 --mem=4G`. @default '' */
  readonly slurm?: string
}

/** What lets more workers into a run that is on. */
export interface Invitation {
  /** The run's folder: `bellis worker <folder>`. */
  readonly folder: string
  /** What BELLIS_CONTEXT has to be where that folder is not seen. A secret. */
  readonly context: string
  /** What adds workers as jobs of SLURM, from anywhere that the folder is seen. */
  readonly sbatch: string
  /** Whether workers of this machine alone can come in. */
  readonly isLoopback: boolean
}

/** The workers of a run, and the way in for others. Disposing ends them all. */
export interface WorkerPool extends AsyncDisposable {
  readonly launcher: WorkerLauncher | undefined
  readonly listener: Listener
  readonly invitation: Invitation
}

/**
 * Listens, writes the run's context file, and makes the launcher.
 * @param folder the run's
 * @param onJobs told what a batch system makes of the workers
 * @throws ConfigError `INVALID_CONFIG` when the address, the certificate or an option of sbatch can't be used, `JOB_REFUSED`
 * when SLURM would not take a worker
 */
export async function openWorkerPool(
  pool: PoolKind | WorkerLauncher,
  folder: string,
  { host = pool === 'slurm' ? '0.0.0.0' : '127.0.0.1', port, tls, slurm = '' }: NetworkOptions,
  onJobs?: (report: JobsReport) => void,
): Promise<WorkerPool> {
  const queue = queueOf(folder, slurm)
  if (pool === 'slurm') await queue.check()
  const listener = await listenTcp({
    host,
    ...(port === undefined ? {} : { port }),
    ...(tls === undefined ? {} : { tls }),
  })
  let contextFile: Disposable | undefined
  try {
    const { local, remote, isLoopback } = await addressOf(listener, host)
    contextFile = writeContextFile(folder, remote)
    const slurmWorkers = () =>
      jobLauncher({ queue, clock: systemClock, ...(onJobs === undefined ? {} : { onReport: onJobs }) })
    const launcher =
      typeof pool === 'object' ? pool : pool === 'slurm' ? slurmWorkers() : launcherOf(pool, folder, local)
    const cancelJobs = () => queue.cancelOnExit()
    process.on('exit', cancelJobs)
    return {
      launcher,
      listener,
      invitation: {
        folder: resolve(folder),
        context: remote,
        isLoopback,
        // Writes the script: not before it is asked for, since the run may yet be refused.
        get sbatch() {
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

/** Nothing is asked of SLURM yet. Its jobs run `bellis worker`, with this Node and this Bellis. */
function queueOf(folder: string, options: string): SlurmQueue {
  const program = fileURLToPath(new URL('../../bin/bellis.js', import.meta.url))
  return slurmQueue({
    folder,
    jobName: `bellis-${basename(folder).replace(/[^\w.+-]/g, '_')}-${randomBytes(3).toString('hex')}`,
    command: [process.execPath, program, 'worker', resolve(folder)],
    options,
  })
}

function launcherOf(pool: Exclude<PoolKind, 'slurm'>, folder: string, context: string): WorkerLauncher | undefined {
  const logFileOf = (workerId: string) => join(folder, 'logs', `${workerId}.log`)
  const program = (name: string) => new URL(`./${name}${extname(import.meta.url)}`, import.meta.url)
  switch (pool) {
    case 'process':
      return processLauncher({ program: program('worker-process'), context, logFileOf, lockFile: workersLock(folder) })
    case 'thread':
      return threadLauncher({ program: program('worker-thread'), logFileOf })
    case 'none':
      return undefined
    default:
      return pool satisfies never
  }
}
