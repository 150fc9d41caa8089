import { ConfigError } from '../../../core/errors.ts'
import { addCoordinates, subtractCoordinates } from '../../../core/geometry/coordinate.ts'
import { equalRois } from '../../../core/geometry/roi.ts'
import type { BlockGrid } from '../../../core/grid/block-grid.ts'
import { type CarriedTask, carryOver, recordedGrid } from '../../../core/growth/chain-growth.ts'
import { carriedBits, type VolumeGrowth } from '../../../core/growth/grid-growth.ts'
import type { RecordedTask } from '../../../core/progress/run-identity.ts'
import { countSetBits } from '../../../core/scheduling/bitmap.ts'
import type { RunReader } from '../../../ports/progress-store.ts'
import { readCompleted } from '../../../runtime/coordinator/progress-recorder.ts'
import type { PlannedPipeline, PlannedTask } from '../../../runtime/tasks/planned-task.ts'
import type { RecordedBlocks } from '../../../runtime/tasks/planning-pass.ts'
import { openProgressStore, type ProgressPlace, recordName } from '../progress-place.ts'
import { fullPath } from '../provenance/output-provenance.ts'
import { readProvenance, type StartProvenance } from '../provenance/provenance-file.ts'
import { configWithoutRegion, identityOf } from '../run-place.ts'

/** What becomes of the blocks of a task when its volume has grown. */
export interface TaskGrowth {
  readonly id: string
  /** Blocks that were done and stay so. */
  readonly carried: number
  /** Blocks that were done and are done again. */
  readonly again: number
  /** Blocks that were not there before. */
  readonly added: number
}

/** A record that is carried over to a larger volume. */
export interface RunGrowth {
  readonly tasks: readonly TaskGrowth[]
  /** As the record will name them. */
  readonly recorded: readonly RecordedTask[]
  /** The blocks of each task that are done, as a bitmap. */
  readonly completed: readonly Uint8Array[]
}

/**
 * How the volumes of a run have grown since its record was written.
 * @param folder of the run, which says how large its inputs were; '' if it has none
 * @returns undefined if they have not, or if it is the record of other tasks
 * @throws ConfigError `GRID_MISMATCH` if the blocks can't be carried over
 */
export async function growthOfRun(
  pipeline: PlannedPipeline,
  reader: RunReader,
  folder: string,
): Promise<RunGrowth | undefined> {
  const { tasks } = pipeline
  const { identity } = reader
  const wanted = identityOf(pipeline, identity.run).tasks
  if (!isSameButForGrids(identity.tasks, wanted, tasks)) return undefined
  const isSame = identity.tasks.every(({ grid, config }, number) => {
    const now = wanted[number] as RecordedTask
    return grid === now.grid && config === now.config
  })
  const ids = tasks.map(({ id }) => id)
  const starts = folder === '' ? [] : startsOf(folder, identity.id)
  const grids = tasks.map((task, number) => gridOf(task, identity.tasks[number] as RecordedTask))
  const inputs = tasks.map((task, number) => inputsOf(task, grids[number] as BlockGrid, starts))
  if (isSame && !inputs.flat().some(({ before, after }) => !equalRois(before, after))) return undefined
  const carried = carryOver(
    tasks.map((task, number) => ({
      id: task.id,
      before: grids[number] as BlockGrid,
      after: task.grid,
      upstream: task.after.map((before) => ids.indexOf(before)),
      isTransient: task.isTransient,
      isGrowable: task.isGrowable,
      inputs: inputs[number] as readonly VolumeGrowth[],
    })),
  )
  if ('reason' in carried) throw notAligned(carried.task, carried.reason)
  const growth: TaskGrowth[] = []
  const completed: Uint8Array[] = []
  for (const [number, { id, grid }] of tasks.entries()) {
    const done = await readCompleted(reader, number)
    const { growth: grown, box } = carried[number] as CarriedTask
    const bits = carriedBits(grown, box, done)
    const kept = countSetBits(bits, grid.blockCount)
    const { blockCount } = grids[number] as BlockGrid
    completed.push(bits)
    growth.push({
      id,
      carried: kept,
      again: countSetBits(done, blockCount) - kept,
      added: grid.blockCount - blockCount,
    })
  }
  return { tasks: growth, recorded: wanted, completed }
}

/** The same for a run that is not running. @param place where its progress is kept */
export async function readGrowth(
  pipeline: PlannedPipeline,
  folder: string,
  place: ProgressPlace,
): Promise<RunGrowth | undefined> {
  return await readRecord(folder, place, (reader) => growthOfRun(pipeline, reader, folder))
}

async function readRecord<Value>(
  folder: string,
  place: ProgressPlace,
  read: (reader: RunReader) => Promise<Value | undefined>,
): Promise<Value | undefined> {
  await using store = typeof place === 'object' ? undefined : await openProgressStore(place, folder)
  const opened = typeof place === 'object' ? place : store
  if (opened === undefined) return undefined
  await using reader = await opened.read(await recordName(opened, folder))
  return reader === undefined ? undefined : await read(reader)
}

/** Whether an earlier start has carried the record of a run over to a larger volume. */
export const hasGrownBefore = (folder: string): boolean =>
  readProvenance(folder)?.starts.some(({ grown }) => grown === true) ?? false

/** The blocks of the record of a run, as far as it has one with the same tasks. @param place where its progress is kept */
export async function readRecordedBlocks(
  pipeline: PlannedPipeline,
  folder: string,
  place: ProgressPlace,
): Promise<RecordedBlocks | undefined> {
  return await readRecord(folder, place, async ({ identity: { run, tasks } }) => {
    if (!isSameButForGrids(tasks, identityOf(pipeline, run).tasks, pipeline.tasks)) return undefined
    const shapes = tasks.flatMap(({ id, grid }) => {
      const { unit } = JSON.parse(grid) as { readonly unit?: unknown }
      return unit === pipeline.unit ? [[id, recordedGrid(grid, id).writeRoi.shape] as const] : []
    })
    return { unit: pipeline.unit, shapes: new Map(shapes) }
  })
}

/** What becomes of the blocks of a task, for people. */
export const showGrowth = ({ carried, again, added }: TaskGrowth): string =>
  `${carried} blocks carried over, ${again} done again, ${added} new`

/** What is carried over and what is done again, for people. */
export function describeGrowth({ tasks }: Pick<RunGrowth, 'tasks'>): string {
  const each = tasks.map((task) => `${task.id}: ${showGrowth(task)}`)
  return `The volume has grown. ${each.join('; ')}.`
}

const isSameButForGrids = (
  recorded: readonly RecordedTask[],
  wanted: readonly RecordedTask[],
  planned: readonly PlannedTask[],
): boolean =>
  recorded.length === wanted.length &&
  recorded.every(({ id, config }, number) => {
    const [now, task] = [wanted[number] as RecordedTask, planned[number] as PlannedTask]
    return now.id === id && configWithoutRegion(now.config, task) === configWithoutRegion(config, task)
  })

/** @throws ConfigError `GRID_MISMATCH` for a record in another unit */
function gridOf({ id, unit }: PlannedTask, { grid }: RecordedTask): BlockGrid {
  const { unit: recorded } = JSON.parse(grid) as { readonly unit?: unknown }
  if (recorded !== unit) throw notAligned(id, `its lengths were in ${String(recorded)}, and are now in ${unit}`)
  return recordedGrid(grid, id)
}

const notAligned = (task: string, reason: string): ConfigError =>
  new ConfigError(
    'GRID_MISMATCH',
    `What was done can't be carried over to this volume: task "${task}": ${reason}. A volume may grow at its ends, or by whole blocks at its start, with the same blocks; give it such a volume, or start again with --overwrite.`,
  )

/** The starts whose blocks the record may have, with what their inputs were: those since the volume has last grown. */
function startsOf(folder: string, record: string | undefined): readonly StartProvenance[] {
  const provenance = readProvenance(folder)
  if (provenance === undefined || provenance.record !== record) return []
  const { starts } = provenance
  return starts.slice(
    Math.max(
      0,
      starts.findLastIndex(({ grown }) => grown === true),
    ),
  )
}

/** How the inputs of a task have grown, as far as the starts say how large they were: the smallest of all counts. */
function inputsOf(
  { reads, grid }: PlannedTask,
  before: BlockGrid,
  starts: readonly StartProvenance[],
): readonly VolumeGrowth[] {
  // Where the region has grown at its start, so has the input.
  const moved = subtractCoordinates(before.totalWriteRoi.offset, grid.totalWriteRoi.offset)
  return reads.flatMap(({ path, roi, voxelSize, channelAxes }) => {
    const full = fullPath(path)
    const known = starts.flatMap(({ inputs }) => {
      const found = inputs?.find((input) => input.path === full)
      return found === undefined || found.shape.length !== roi.shape.length + channelAxes ? [] : [found.shape]
    })
    if (known.length === 0 || roi.shape.length !== moved.length) return []
    const shape = roi.shape.map((_, axis) =>
      Math.min(...known.map((each) => (each[axis + channelAxes] as number) * (voxelSize[axis] as number))),
    )
    return [{ before: { offset: addCoordinates(roi.offset, moved), shape }, after: roi }]
  })
}
