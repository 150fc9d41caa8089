import { createHash } from 'node:crypto'
import { join, relative } from 'node:path'
import { gridOptions } from '../core/grid/block-grid.ts'
import type { PlannedPipeline } from '../runtime/plan-pipeline.ts'

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
  const tasks = pipeline.tasks.map(({ id, source, after }) => ({
    id,
    after,
    ...('kind' in source ? { name: source.definition.options.name, config: source.config } : {}),
  }))
  const hash = createHash('sha256')
    .update(canonicalJson({ from: relative(home, '.'), tasks }))
    .digest('hex')
  const names = pipeline.tasks.map((task) => task.id).join('+')
  return join(home, `${names.slice(0, MAX_NAMES)}-${hash.slice(0, 8)}`)
}

/** A task as it is written down with its run. */
export interface RecordedTask {
  readonly id: string
  readonly after: readonly string[]
  readonly blocks: number
  /** What Rois count. */
  readonly unit: string
  readonly grid: ReturnType<typeof gridOptions>
  readonly name?: string
  readonly module?: string
  readonly config?: Readonly<Record<string, unknown>>
}

export const recordedTasks = (pipeline: PlannedPipeline): RecordedTask[] =>
  pipeline.tasks.map(({ id, after, grid, unit, source }) => ({
    id,
    after,
    blocks: grid.blockCount,
    unit,
    grid: gridOptions(grid),
    ...('kind' in source
      ? { name: source.definition.options.name, module: source.definition.module, config: source.config }
      : {}),
  }))

/** JSON with the keys in order: the same text for the same value. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
