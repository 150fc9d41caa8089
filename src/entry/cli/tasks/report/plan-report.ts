import { countElements } from '../../../../core/geometry/coordinate.ts'
import { showRoiInNm } from '../../../../core/geometry/roi-text.ts'
import { given } from '../../../../core/given.ts'
import { countSetBits } from '../../../../core/scheduling/bitmap.ts'
import { showBytes } from '../../../../core/text/numbers.ts'
import type { Resources } from '../../../../core/workers/resources.ts'
import type { PlannedPipeline, PlannedTask } from '../../../../runtime/tasks/planned-task.ts'
import { type VolumeDescription, voxelsAcross } from '../../../../runtime/volumes/volume-array.ts'
import { showGrowth, type TaskGrowth } from '../../../run-folder/growth/run-growth.ts'
import type { RunOptions } from '../../../run-options.ts'
import { defaultWorkers } from '../../../workers/run-resources.ts'
import { sharedMemory, type WorkerSetting, workerMemory } from '../../../workers/worker-memory.ts'
import { labelled, wrapped } from '../../layout.ts'
import { paint } from '../../output.ts'
import { type PlannedWork, workOf } from './plan-work.ts'

/** What earlier starts have done of each task. */
export interface RecordedPlan {
  /** Blocks that are already done. */
  readonly done: readonly number[]
  /** If the volume has grown: what becomes of the blocks. */
  readonly growth?: readonly TaskGrowth[]
}

/** The plan as a text for users. */
export function describePlan(pipeline: PlannedPipeline, options: RunOptions, recorded: RecordedPlan): string {
  const setting = settingOf(options)
  return [
    ...pipeline.tasks.map((task, number) =>
      describeTask(task, setting, recorded.done[number] ?? 0, recorded.growth?.[number]),
    ),
    wrapped(`${describeWorkers(pipeline.tasks, setting)}; nothing was written.`, 2),
  ].join('\n')
}

/** Their number, and their memory where that of the tasks does not say it: a worker does blocks of all of them. */
function describeWorkers(tasks: readonly PlannedTask[], setting: WorkerSetting): string {
  const { workers, sharesProcess } = setting
  const most = workerMemory(tasks, setting)
  const count = `${workers} ${workers === 1 ? 'worker' : 'workers'}`
  if (sharesProcess) return `${count} in one process of about ${showBytes(sharedMemory(most, setting))}`
  return tasks.length === 1 ? count : `${count} of about ${showBytes(most)}${workers === 1 ? '' : ' each'}`
}

const settingOf = (options: RunOptions): WorkerSetting => ({
  workers: options.workers ?? defaultWorkers(options),
  sharesProcess: options.pool === 'thread' || options.pool === 'inline',
})

function describeTask(task: PlannedTask, setting: WorkerSetting, done: number, growth: TaskGrowth | undefined): string {
  const { grid } = task
  const work = workOf(task)
  const rows: (readonly [string, string])[] = [
    ...(task.after.length > 0 ? [['after', task.after.join(', ')] as const] : []),
    [
      'blocks',
      `${grid.blockCount} (${grid.shape.join(' × ')}), ${grid.levelCount} ${grid.levelCount === 1 ? 'level: all independent' : 'levels; blocks within a level are independent'}`,
    ],
    ...(done > 0 ? [['already done', `${done} of them`] as const] : []),
    ...(growth === undefined ? [] : [['has grown', showGrowth(growth)] as const]),
    ...(task.masked === undefined ? [] : [['outside the mask', `${maskedOf(task)} of them`] as const]),
    ...(task.leftOut === undefined ? [] : [['left out', `${leftOutOf(task)} of them`] as const]),
    ['a block reads', `${sizeOf(task, grid.readRoi.shape)}, writes ${sizeOf(task, grid.writeRoi.shape)}`],
    ...(work === undefined ? [] : [['work', showWork(work)] as const]),
    ['region', `${showRoiInNm(grid.totalWriteRoi, task.unit)} nm, fit ${grid.fit}`],
    ...(isPlain(task.requires) ? [] : [['requires', showResources(task.requires)] as const]),
    ...(task.maxAhead === undefined
      ? []
      : [['at most', `${task.maxAhead} blocks ahead of the tasks after it`] as const]),
    ...(task.isTransient ? [['transient', 'chunks are removed when no block needs them any more'] as const] : []),
    ['memory', `about ${showBytes(workerMemory([task], setting))} per worker`],
    ...task.writes.map((array) => ['writes', describeOutput(array)] as const),
  ]
  return [paint('bold', task.id), ...labelled(rows)].join('\n')
}

const leftOutOf = ({ leftOut, grid }: PlannedTask): number | undefined =>
  leftOut === undefined ? undefined : countSetBits(leftOut, grid.blockCount)

const maskedOf = ({ masked, grid }: PlannedTask): number | undefined =>
  masked === undefined ? undefined : countSetBits(masked, grid.blockCount)

function sizeOf(task: PlannedTask, shape: readonly number[]): string {
  const [array] = [...task.writes, ...task.reads]
  if (array === undefined || array.voxelSize.length !== shape.length) return `${shape.join(' × ')} ${task.unit}`
  return `${voxelsAcross(array, shape).join(' × ')} voxels`
}

const showWork = ({ read, decoded }: PlannedWork): string =>
  `${showRatio(read)} voxels read for each one written, ${showRatio(decoded)} decoded if no chunk is kept for the next block`

const showRatio = (ratio: number): string => String(Number(ratio.toPrecision(3)))

const isPlain = ({ cpu, ...others }: Resources): boolean => cpu === 1 && Object.keys(others).length === 0
const showResources = (resources: Resources): string =>
  Object.entries(resources)
    .map(([name, amount]) => `${name} ${amount}`)
    .join(', ')

const describeOutput = (array: VolumeDescription): string =>
  `${array.path}: ${array.shape.join(' × ')} ${array.dtype}, ${chunkCount(array)} ${array.shardShape === undefined ? 'chunks' : 'shards'} of ${(array.shardShape ?? array.chunkShape).join(' × ')}`

const chunkCount = (array: VolumeDescription): bigint =>
  countElements(
    array.shape.map((length, axis) => Math.ceil(length / ((array.shardShape ?? array.chunkShape)[axis] as number))),
  )

const growthIn = (growth: readonly TaskGrowth[] | undefined, number: number) => {
  const { carried, again, added } = growth?.[number] ?? {}
  return carried === undefined ? undefined : { carried, again, added }
}

/** The plan as JSON for programs. */
export const planDocument = (pipeline: PlannedPipeline, options: RunOptions, { done, growth }: RecordedPlan) => ({
  workers: options.workers ?? defaultWorkers(options),
  memoryPerWorker: workerMemory(pipeline.tasks, settingOf(options)),
  unit: pipeline.unit,
  tasks: pipeline.tasks.map((task, number) => ({
    id: task.id,
    after: task.after,
    blocks: task.grid.blockCount,
    gridShape: task.grid.shape,
    levels: task.grid.levelCount,
    requires: task.requires,
    ...given({ maxAhead: task.maxAhead }),
    transient: task.isTransient,
    done: done[number] ?? 0,
    ...given({ growth: growthIn(growth, number) }),
    ...given({ masked: maskedOf(task), leftOut: leftOutOf(task) }),
    fit: task.grid.fit,
    totalRoi: task.grid.totalRoi,
    readRoi: task.grid.readRoi,
    writeRoi: task.grid.writeRoi,
    ...given({ perVoxelWritten: workOf(task) }),
    memoryPerWorker: workerMemory([task], settingOf(options)),
    warnings: task.warnings,
    writes: task.writes.map((array) => ({
      path: array.path,
      shape: array.shape,
      dtype: array.dtype,
      chunkShape: array.chunkShape,
      ...given({ shardShape: array.shardShape }),
      chunks: Number(chunkCount(array)),
    })),
  })),
})
