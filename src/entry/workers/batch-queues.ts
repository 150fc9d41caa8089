import { randomBytes } from 'node:crypto'
import { basename, resolve } from 'node:path'
import type { BatchQueue, BatchQueueOptions } from '../../adapters/batch/batch-queue.ts'
import { kubernetesQueue } from '../../adapters/batch/kubernetes/kubernetes-queue.ts'
import { lsfQueue } from '../../adapters/batch/lsf/lsf-queue.ts'
import { pbsQueue } from '../../adapters/batch/pbs/pbs-queue.ts'
import { sgeQueue } from '../../adapters/batch/sge/sge-queue.ts'
import { slurmQueue } from '../../adapters/batch/slurm/slurm-queue.ts'
import type { JobsReport } from '../../core/events.ts'
import { OWN_PROGRAM } from '../own-command.ts'
import { readLogEnd } from './log-end.ts'
import type { BatchKind } from './pools.ts'

const QUEUES: Readonly<Record<BatchKind, (options: BatchQueueOptions) => BatchQueue>> = {
  slurm: slurmQueue,
  sge: sgeQueue,
  pbs: pbsQueue,
  lsf: lsfQueue,
  kubernetes: kubernetesQueue,
}

/** The program of a worker that is a job, and its first arguments. */
export const workerProgram = (): readonly string[] => [process.execPath, OWN_PROGRAM, 'worker']

/** The same in a container, which has a Bellis of its own, and gets the address of the run as BELLIS_CONTEXT. */
const CONTAINER_PROGRAM = ['bellis', 'worker'] as const

const commandIn = (kind: BatchKind, command: readonly string[] | undefined, folder: string): readonly string[] =>
  kind === 'kubernetes' ? (command ?? CONTAINER_PROGRAM) : [...(command ?? workerProgram()), resolve(folder)]

/** What the jobs of a run need. */
export interface RunJobs {
  /** The run's folder. */
  readonly folder: string
  /** @default `bellis worker`, with this Node and this Bellis, or with those of the container */
  readonly workerCommand?: readonly string[] | undefined
  /** Options of the submitting program. @default '' */
  readonly options?: string | undefined
  /** The task that the jobs are for, if not for all. */
  readonly task?: string
}

/**
 * The jobs of a run in a batch system, which is not called yet.
 * @throws ConfigError `INVALID_CONFIG` for options that can't be used
 */
export function queueOf(kind: BatchKind, { folder, workerCommand, options = '', task }: RunJobs): BatchQueue {
  return QUEUES[kind]({
    folder,
    ...(task === undefined ? {} : { part: task.replace(/[^\w.+-]/g, '_') }),
    jobName: `bellis-${basename(folder).replace(/[^\w.+-]/g, '_')}-${randomBytes(3).toString('hex')}`,
    command: commandIn(kind, workerCommand, folder),
    options,
    readLog: readLogEnd,
  })
}

/** One report of the jobs of all queues of a run, whenever one of them has changed. */
export function mergedReports(onJobs: (report: JobsReport) => void): (source: object) => (report: JobsReport) => void {
  const reports = new Map<object, JobsReport>()
  return (source) => (report) => {
    reports.set(source, report)
    onJobs(merge([...reports.values()]))
  }
}

function merge(reports: readonly JobsReport[]): JobsReport {
  const [only] = reports
  if (reports.length === 1) return only as JobsReport
  const sum = (count: 'waiting' | 'pending' | 'running') => reports.reduce((total, each) => total + each[count], 0)
  const absent = reports.flatMap((report) => report.absent ?? [])
  const troubles = [...new Set(reports.flatMap(({ trouble }) => trouble ?? []))]
  return {
    queue: [...new Set(reports.map(({ queue }) => queue))].join(' and '),
    waiting: sum('waiting'),
    pending: sum('pending'),
    running: sum('running'),
    reasons: reports.flatMap(({ reasons }) => reasons).sort((a, b) => b.count - a.count),
    ...(absent[0] === undefined
      ? {}
      : { absent: { ...absent[0], count: absent.reduce((total, { count }) => total + count, 0) } }),
    ...(troubles.length === 0 ? {} : { trouble: troubles.join('; ') }),
  }
}
