import { availableParallelism } from 'node:os'
import type { Resources } from '../../core/workers/resources.ts'
import type { RunResources } from '../../runtime/coordinator/run-options.ts'
import { machineMemory } from './machine-memory.ts'
import { isBatch, poolOfTask, type TaskPool } from './pools.ts'

/** The options of a run that determine its resources. */
interface ResourceOptions {
  readonly workers?: number
  readonly pool?: unknown
  readonly taskPools?: Readonly<Record<string, TaskPool>>
  readonly resources?: Resources
}

/** The number of workers of a run that does not set one. */
export const defaultWorkers = ({ resources }: ResourceOptions): number =>
  Math.max(1, Math.floor(resources?.cpu ?? availableParallelism()))

/**
 * The resources shared by the workers of a run. Unless `resources` defines others, workers on this machine share its
 * processors (or have one each, if there are more workers) and its memory. Once workers are on other machines, all are limited
 * only by `resources`.
 */
export function resourcesOf(options: ResourceOptions): RunResources {
  const { pool = 'process', resources = {}, workers = defaultWorkers(options), taskPools = {} } = options
  const isElsewhere =
    pool === 'none' || [pool, ...Object.values(taskPools).map((each) => poolOfTask(each, pool))].some(isBatch)
  const own = { cpu: Math.max(workers, availableParallelism()), memoryGb: machineMemory().total / 1e9 }
  return {
    budget: { amounts: isElsewhere ? resources : { ...own, ...resources }, isOpen: isElsewhere },
    countsJoined: options.resources !== undefined,
    bindsWorkers: !isElsewhere,
    cpuFollowsWorkers: resources.cpu === undefined,
  }
}
