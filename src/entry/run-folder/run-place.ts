import { createHash } from 'node:crypto'
import { readdirSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import type { VoxelPlacement } from '../../core/geometry/placement.ts'
import type { WorldUnit } from '../../core/geometry/world-unit.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import { isAddress } from '../../core/text/address.ts'
import { MAX_PART, runName } from '../../core/text/run-name.ts'
import { mapTexts, markQueries } from '../../core/text/shown-address.ts'
import type { PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../runtime/tasks/task-node.ts'
import { finishedPath } from '../packed/packed-file.ts'

/** The folder that contains the folders of runs. */
export const runsHome = (runDir?: string): string => runDir ?? process.env.BELLIS_HOME ?? '.bellis'

/**
 * `.bellis/<pipeline>-<output>-<first 8 digits of a hash>`; the hash is the same for the same tasks and configurations. A folder that
 * ends in it is the run's, whatever its name begins with. Grids are not part of the
 * hash: if a run is found with another grid, its data or code has changed, and the user has to decide. Paths in
 * configurations are relative to the working directory, so the hash includes the path from the home to it. Fields that only choose a region
 * are not part of it either.
 */
export function runFolder(pipeline: PlannedPipeline, options: { readonly runDir?: string | undefined }): string {
  const home = runsHome(options.runDir)
  const output = keptOutputs(describeTasks(pipeline)).at(-1)
  const own = runName(pipeline.name ?? namesOf(pipeline), output)
  const names = namesIn(home)
  // In the names of version 0.1.0, regions were part of the hash.
  for (const suffix of new Set([suffixOf(pipeline, home, withoutRegion), suffixOf(pipeline, home, fullConfig)])) {
    const existing = names.filter((other) => other.endsWith(suffix) && !other.startsWith('.'))
    const [first] = existing
    if (first !== undefined) return join(home, existing.includes(own + suffix) ? own + suffix : first)
  }
  return join(home, own + suffixOf(pipeline, home, withoutRegion))
}

/** The digits that tell a run from all others. @param configOf what of a task's configuration counts */
function suffixOf(pipeline: PlannedPipeline, home: string, configOf: (task: PlannedTask) => object): string {
  const tasks = pipeline.tasks.map((task) => {
    const { id, source, after, isTransient } = task
    return {
      id,
      after,
      // The output of a transient task may be gone, so a run that keeps it is another run.
      ...(isTransient ? { transient: true } : {}),
      ...(isTaskNode(source) ? { name: source.definition.options.name, config: configOf(task) } : {}),
    }
  })
  const hash = createHash('sha256')
    .update(canonicalJson({ from: relative(home, '.'), tasks }))
    .digest('hex')
  return `-${hash.slice(0, 8)}`
}

const fullConfig = ({ source }: PlannedTask): object => (isTaskNode(source) ? source.config : {})

const withoutFields = (config: object, fields: readonly string[]): object =>
  Object.fromEntries(Object.entries(config).filter(([name]) => !fields.includes(name)))

const withoutRegion = (task: PlannedTask): object => withoutFields(fullConfig(task), task.regionFields)

/** A configuration, as canonical JSON, without the fields that only choose a region. */
export const configWithoutRegion = (config: string, { regionFields }: Pick<PlannedTask, 'regionFields'>): string =>
  regionFields.length === 0 ? config : canonicalJson(withoutFields(JSON.parse(config) as object, regionFields))

/** All tasks, or those that no other one waits for if all would be too many. */
function namesOf({ tasks }: PlannedPipeline): string {
  const all = tasks.map(({ id }) => id)
  const awaited = new Set(tasks.flatMap(({ after }) => after))
  const together = all.join('+')
  return together.length <= MAX_PART ? together : all.filter((id) => !awaited.has(id)).join('+')
}

function namesIn(home: string): string[] {
  try {
    return readdirSync(home).sort()
  } catch {
    // There is no run yet, or none that this user may see: creating the folder reports it.
    return []
  }
}

/** The voxels in which users know the regions of a task's blocks; undefined if it declares no array with the axes of its blocks. */
export function voxelsOf({ grid, reads, writes }: PlannedTask): VoxelPlacement | undefined {
  const [array] = [...writes, ...reads]
  if (array === undefined || array.voxelSize.length !== grid.shape.length) return undefined
  const { offset, voxelSize } = array
  return { offset, voxelSize }
}

/** A task as recorded in `run.json`. */
export interface DescribedTask {
  readonly id: string
  readonly after: readonly string[]
  readonly blocks: number
  /** The unit of Rois. */
  readonly unit: WorldUnit
  readonly grid: ReturnType<typeof gridOptions>
  /** Its output is removed once all tasks that read it are done. */
  readonly transient?: boolean
  readonly name?: string
  readonly module?: string
  readonly config?: Readonly<Record<string, unknown>>
  /** The voxels of its output, or of its input if it has none, in `unit`; absent in runs of earlier versions. */
  readonly voxels?: VoxelPlacement
  /** The arrays that its blocks read and write, if declared. */
  readonly reads?: readonly string[]
  readonly writes?: readonly string[]
}

/** The arrays that tasks write and keep, as the user gave them. */
export const keptOutputs = (tasks: readonly Pick<DescribedTask, 'transient' | 'writes'>[]): string[] => [
  ...new Set(tasks.filter(({ transient }) => !transient).flatMap(({ writes = [] }) => writes)),
]

/** A dataset as the user gave it, wherever the working directory is now. @param directory where the run was started */
export const absolutePath = (path: string, directory: string): string =>
  isAbsolute(path) || isAddress(path) ? path : join(directory, path)

export const describeTasks = (pipeline: PlannedPipeline): DescribedTask[] =>
  pipeline.tasks.map((task) => {
    const { id, after, grid, unit, source, reads, writes, isTransient } = task
    const voxels = voxelsOf(task)
    return {
      id,
      after,
      ...(isTransient ? { transient: true } : {}),
      blocks: grid.blockCount,
      unit,
      grid: gridOptions(grid),
      ...(voxels === undefined ? {} : { voxels }),
      // One that is packed meanwhile is found by the name of its file alone.
      reads: reads.map(({ path }) => finishedPath(path)),
      writes: writes.map(({ path }) => path),
      ...(isTaskNode(source)
        ? { name: source.definition.options.name, module: source.definition.module, config: keptConfig(source.config) }
        : {}),
    }
  })

/** A configuration as it is kept: others may read it, so addresses have no queries, but different addresses remain different. */
const keptConfig = (config: object): Record<string, unknown> => mapTexts(config, markQueries) as Record<string, unknown>

/** What a record is compared with. @param run name of the run in its progress store */
export const identityOf = (pipeline: PlannedPipeline, run: string): RunIdentity => ({
  run,
  tasks: pipeline.tasks.map(({ id, grid, unit, source }) => ({
    id,
    blockCount: grid.blockCount,
    grid: canonicalJson({ ...gridOptions(grid), unit }),
    config: canonicalJson(isTaskNode(source) ? keptConfig(source.config) : {}),
  })),
})

/** A run's name in a database of many runs: the name of its folder, and a hash of the folder's location. */
export function nameInDatabase(folder: string): string {
  const place = createHash('sha256')
    .update(realpathSync(dirname(folder)))
    .digest('hex')
    .slice(0, 8)
  return `${basename(folder)}@${place}`
}

/** JSON with sorted keys: equal values give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
