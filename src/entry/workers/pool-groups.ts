import type { BatchQueue } from '../../adapters/batch/batch-queue.ts'
import type { WorkerLauncher } from '../../ports/worker-launcher.ts'
import { queueOf } from './batch-queues.ts'
import { type BatchOptions, isBatch, type PoolKind, poolOfTask, type TaskPool } from './pools.ts'

/** The workers of a run that one launcher starts. */
export interface PoolGroup {
  readonly pool: PoolKind | WorkerLauncher
  /** Where their jobs are submitted, for a batch system. */
  readonly queue: BatchQueue | undefined
  /** The ids of its tasks; undefined for those that are in no other group. */
  readonly tasks: readonly string[] | undefined
}

/** What decides the groups of a run. */
export interface GroupOptions extends BatchOptions {
  readonly taskPools?: Readonly<Record<string, TaskPool>>
  readonly workerCommand?: readonly string[]
}

/**
 * The groups of a run's workers: first that of the run's pool, then one for each other pool that tasks have. Tasks with the same
 * pool and options share their workers.
 * @param folder the run's
 * @throws ConfigError `INVALID_CONFIG` for options of a batch system that can't be used
 */
export function poolGroups(pool: PoolKind | WorkerLauncher, folder: string, options: GroupOptions): PoolGroup[] {
  const queue = isBatch(pool)
    ? queueOf(pool, { folder, workerCommand: options.workerCommand, options: options[pool] })
    : undefined
  const groups: PoolGroup[] = [{ pool, queue, tasks: undefined }]
  for (const [kind, submitted, tasks] of taskGroups(pool, options)) {
    groups.push({
      pool: kind,
      tasks,
      queue: isBatch(kind)
        ? queueOf(kind, { folder, workerCommand: options.workerCommand, options: submitted, task: tasks[0] as string })
        : undefined,
    })
  }
  return groups
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
