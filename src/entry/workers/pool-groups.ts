import type { BatchQueue } from '../../adapters/batch/batch-queue.ts'
import { chosenHeapMb } from '../../adapters/processes/heap-limit.ts'
import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { withMoreMemory } from '../../core/workers/more-memory.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import { queueOf, workerProgram } from './batch-queues.ts'
import { type BatchKind, type BatchOptions, isBatch, type PoolKind, poolOfTask, type TaskPool } from './pools.ts'

/** The workers of a run that one launcher starts. */
export interface PoolGroup {
  readonly pool: PoolKind | WorkerLauncher
  /** Where their jobs are submitted, for a batch system. */
  readonly queue: BatchQueue | undefined
  /** The same with this many times the memory; undefined if its options ask for no memory. */
  readonly larger?: (factor: number) => BatchQueue | undefined
  /** The ids of its tasks; undefined for those that are in no other group. */
  readonly tasks: readonly string[] | undefined
}

/** What decides the groups of a run. */
export interface GroupOptions extends BatchOptions {
  readonly taskPools?: Readonly<Record<string, TaskPool>>
  readonly workerCommand?: readonly string[]
  readonly memoryRetry?: number | Readonly<Record<string, number>> | undefined
}

/**
 * The groups of a run's workers: first that of the run's pool, then one for each other pool that tasks have. Tasks with the same
 * pool and options share their workers.
 * @param folder the run's
 * @throws ConfigError `INVALID_CONFIG` for options of a batch system that can't be used
 */
export function poolGroups(pool: PoolKind | WorkerLauncher, folder: string, options: GroupOptions): PoolGroup[] {
  const groups: PoolGroup[] = [
    { pool, ...queuesOf(pool, folder, options, isBatch(pool) ? options[pool] : ''), tasks: undefined },
  ]
  for (const [kind, submitted, tasks] of taskGroups(pool, options)) {
    groups.push({ pool: kind, ...queuesOf(kind, folder, options, submitted, tasks[0]), tasks })
  }
  return groups
}

/** Where the jobs of a pool are submitted. @param task for which they are alone, if not for all */
function queuesOf(
  pool: PoolKind | WorkerLauncher,
  folder: string,
  { workerCommand, memoryRetry }: GroupOptions,
  submitted = '',
  task?: string,
): Pick<PoolGroup, 'queue' | 'larger'> {
  if (!isBatch(pool)) return { queue: undefined }
  if (memoryRetry !== undefined && withMoreMemory(pool, submitted, 2) === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `--memory-retry: the jobs ask for no memory that could be multiplied; say how much they need in --${pool}, such as ${MEMORY_EXAMPLES[pool]}.`,
    )
  }
  const setting = { folder, ...given({ task }) }
  return {
    queue: queueOf(pool, { ...setting, workerCommand, options: submitted }),
    larger: (factor) => {
      const options = withMoreMemory(pool, submitted, factor)
      if (options === undefined) return undefined
      const part = `${task ?? ''}.${factor}x`
      return queueOf(pool, {
        ...setting,
        task: part,
        ...given({ workerCommand: withLargerHeap(pool, workerCommand, factor) }),
        options,
      })
    },
  }
}

const MEMORY_EXAMPLES: Readonly<Record<BatchKind, string>> = {
  slurm: '--mem=4G',
  sge: '-l h_vmem=4G',
  pbs: '-l mem=4gb',
  lsf: '-M 4G',
  kubernetes: '--memory=4Gi',
}

/** A limit that the user has set to the heap is multiplied, too. */
function withLargerHeap(
  pool: BatchKind,
  command: readonly string[] | undefined,
  factor: number,
): readonly string[] | undefined {
  if (pool === 'kubernetes') return command
  const [program = '', ...words] = command ?? workerProgram()
  const chosen = chosenHeapMb()
  if (chosen === undefined || program !== process.execPath) return [program, ...words]
  return [program, `--max-old-space-size=${Math.ceil(chosen * factor)}`, ...words]
}

type TaskGroup = readonly [pool: PoolKind | WorkerLauncher, options: string | undefined, tasks: string[]]

function taskGroups(runPool: PoolKind | WorkerLauncher, { taskPools = {}, ...others }: GroupOptions): TaskGroup[] {
  const groups: TaskGroup[] = []
  for (const [id, own] of Object.entries(taskPools)) {
    const pool = poolOfTask(own, runPool)
    const options = isBatch(pool) ? (own[pool] ?? others[pool]) : undefined
    // Without options of its own, a task with the pool of the run has the workers of the run.
    if (pool === runPool && (!isBatch(pool) || options === others[pool])) continue
    const known = groups.find(([kind, text]) => kind === pool && text === options)
    if (known === undefined) groups.push([pool, options, [id]])
    else known[2].push(id)
  }
  return groups
}
