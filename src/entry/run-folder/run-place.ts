import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import type { WorldUnit } from '../../core/geometry/world-unit.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import type { PlannedPipeline } from '../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../runtime/tasks/task-node.ts'

/** Where runs' folders are. */
export const runsHome = (runDir?: string): string => runDir ?? process.env.BELLIS_HOME ?? '.bellis'

/** The most that a run's name has of its tasks' names. */
const MAX_NAMES = 60

/**
 * `.bellis/<task>-<first 8 of its hash>`: the same for the same tasks and configurations. Not for the same grids: a run that is found
 * with another grid is one whose data or code has changed, and that has to be said. Paths in configurations start from the working
 * directory, so where runs of several directories are kept in one home, it counts from where that home is.
 */
export function runFolder(pipeline: PlannedPipeline, options: { readonly runDir?: string | undefined }): string {
  const home = runsHome(options.runDir)
  const tasks = pipeline.tasks.map(({ id, source, after, isTransient }) => ({
    id,
    after,
    // What a transient task has done may be gone: a run that wants it kept is another one.
    ...(isTransient ? { transient: true } : {}),
    ...(isTaskNode(source) ? { name: source.definition.options.name, config: source.config } : {}),
  }))
  const hash = createHash('sha256')
    .update(canonicalJson({ from: relative(home, '.'), tasks }))
    .digest('hex')
  const names = pipeline.tasks.map((task) => task.id).join('+')
  return join(home, `${names.slice(0, MAX_NAMES)}-${hash.slice(0, 8)}`)
}

/** A task as it is written down with its run. */
export interface DescribedTask {
  readonly id: string
  readonly after: readonly string[]
  readonly blocks: number
  /** What Rois count. */
  readonly unit: WorldUnit
  readonly grid: ReturnType<typeof gridOptions>
  /** What it writes is removed when all who need it are done. */
  readonly transient?: boolean
  readonly name?: string
  readonly module?: string
  readonly config?: Readonly<Record<string, unknown>>
  /** The arrays that its blocks read and write, where it says so. */
  readonly reads?: readonly string[]
  readonly writes?: readonly string[]
}

export const describeTasks = (pipeline: PlannedPipeline): DescribedTask[] =>
  pipeline.tasks.map(({ id, after, grid, unit, source, reads, writes, isTransient }) => ({
    id,
    after,
    ...(isTransient ? { transient: true } : {}),
    blocks: grid.blockCount,
    unit,
    grid: gridOptions(grid),
    reads: reads.map(({ path }) => path),
    writes: writes.map(({ path }) => path),
    ...(isTaskNode(source)
      ? { name: source.definition.options.name, module: source.definition.module, config: source.config }
      : {}),
  }))

/** What the record of a run is checked by. @param run its name where the record is kept */
export const identityOf = (pipeline: PlannedPipeline, run: string): RunIdentity => ({
  run,
  tasks: pipeline.tasks.map(({ id, grid, unit, source }) => ({
    id,
    blockCount: grid.blockCount,
    grid: canonicalJson({ ...gridOptions(grid), unit }),
    config: canonicalJson(isTaskNode(source) ? source.config : {}),
  })),
})

/** A run's name in a database of many runs: of its folder's name, and of where it is. */
export function nameInDatabase(folder: string): string {
  const place = createHash('sha256')
    .update(realpathSync(dirname(folder)))
    .digest('hex')
    .slice(0, 8)
  return `${basename(folder)}@${place}`
}

/** JSON with the keys in order: the same text for the same value. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
