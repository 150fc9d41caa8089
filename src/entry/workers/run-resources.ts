import { availableParallelism, totalmem } from 'node:os'
import type { Resources } from '../../core/workers/resources.ts'
import type { RunResources } from '../../runtime/coordinator/run-options.ts'

/**
 * Peak memory of a worker process without its blocks, bytes: Node and the libraries. Measured with tiny blocks: 113 MB for a
 * task that opens no array, 145 to 158 MB for one that converts or smooths.
 */
export const WORKER_BYTES = 160_000_000

/** The options of a run that its resources depend on. */
interface ResourceOptions {
  readonly workers?: number
  readonly pool?: unknown
  readonly resources?: Resources
}

/** Workers in all, where nobody has said how many. */
export const defaultWorkers = ({ resources }: ResourceOptions): number =>
  Math.max(1, Math.floor(resources?.cpu ?? availableParallelism()))

/**
 * What a run's workers have together. Where they are this machine's, that is its processors (or as many as there are workers)
 * and its memory, unless it is said; where they are elsewhere, what is not said has no limit.
 */
export function resourcesOf(options: ResourceOptions): RunResources {
  const { pool = 'process', resources = {}, workers = defaultWorkers(options) } = options
  const isElsewhere = pool === 'slurm' || pool === 'sge' || pool === 'none'
  const own = { cpu: Math.max(workers, availableParallelism()), memoryGb: memoryBytes() / 1e9 }
  return {
    budget: { amounts: isElsewhere ? resources : { ...own, ...resources }, isOpen: isElsewhere },
    countsJoined: options.resources !== undefined,
    bindsWorkers: !isElsewhere,
  }
}

/** What this process may use: a container may have less than its machine. */
function memoryBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}
