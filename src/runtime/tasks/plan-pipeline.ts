import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import {
  addCoordinates,
  type Coordinate,
  combine,
  countElements,
  productOf,
  showCoordinate,
  subtractCoordinates,
} from '../../core/geometry/coordinate.ts'
import type { VoxelPlacement } from '../../core/geometry/placement.ts'
import { type Roi, snapRoi } from '../../core/geometry/roi.ts'
import { finerUnit, type WorldUnit } from '../../core/geometry/world-unit.ts'
import { given } from '../../core/given.ts'
import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import { type Fit, gridOptions } from '../../core/grid/grid-options.ts'
import { orderTasks } from '../../core/scheduling/pipeline.ts'
import { checkResources, type Resources } from '../../core/workers/resources.ts'
import { type VolumeDescription, voxelsAcross } from '../volumes/volume-array.ts'
import { maskedBlocks } from './block-mask.ts'
import { checkLimits, checkMaxFailures } from './option-checks.ts'
import { assertOutputsApart, assertWritable } from './output-checks.ts'
import type { PlannedPipeline, PlannedTask } from './planned-task.ts'
import { PlanningPass, type PlanOptions, type TaskPlanning } from './planning-pass.ts'
import { assertTransient, withMaxAhead } from './retained-outputs.ts'
import { isTaskNode, type TaskLike, type TaskNode, withUpstream } from './task-node.ts'
import type { TaskPlan } from './task-options.ts'
import { callUserCode } from './user-calls.ts'

/**
 * Plans every task of a run and checks the complete pipeline, without writing anything: calls each task's `plan`, cuts its
 * grid, and compares its outputs with its blocks. If arrays need different world units, all tasks are planned again in the
 * finest of them.
 * @throws ConfigError for any mistake in a task, its arrays, or the order of the tasks
 */
export async function planPipeline(tasks: readonly TaskLike[], options: PlanOptions): Promise<PlannedPipeline> {
  const all = withUpstream(tasks)
  if (all.length === 0) throw new ConfigError('INVALID_TASK', 'There is no task to run; pass at least one.')
  const order = orderTasks(
    all.map((task) => ({ id: task.id, after: (task.after ?? []).map((upstream) => upstream.id) })),
  )
  const inOrder = order.topological.map((number) => all[number] as TaskLike)
  for (let unit: WorldUnit = 'nm'; ; ) {
    const planned = await planInUnit(inOrder, unit, options)
    const finest: WorldUnit = planned.reduce<WorldUnit>((finer, task) => finerUnit(finer, task.unit), unit)
    if (finest === unit) {
      const result = withMaxAhead(planned.map((task) => ({ ...task, unit })))
      assertOutputsApart(result, options.arrays)
      assertTransient(result, options.arrays)
      return { ...given({ name: options.name }), tasks: result, unit }
    }
    unit = finest
  }
}

/** Plans all tasks in world units of `unit`. If an array needs a finer unit, `PlannedTask.unit` is that one. */
async function planInUnit(tasks: readonly TaskLike[], unit: WorldUnit, options: PlanOptions): Promise<PlannedTask[]> {
  await using pass = new PlanningPass(unit, options)
  const planned: PlannedTask[] = []
  for (const task of tasks) planned.push(await planTask(task, pass))
  return planned
}

async function planTask(task: TaskLike, pass: PlanningPass): Promise<PlannedTask> {
  const { arrays, reads, outputs, warnings } = pass.startTask(task.id)
  const own: TaskPlan = isTaskNode(task) ? await callPlan(task, arrays, warnings) : task
  const plan = withBlock(own, pass.recordedBlock(task.id))
  const grid = createBlockGrid({ ...gridOptions(plan), taskId: task.id })
  const writes = plan.writes ?? []
  const mask = plan.mask ?? (await pass.mask())
  if (grid.leftOutVolume() > 0n) warnings.push(leftOutWarning(grid, writes[0]))
  if (!pass.isDraft) for (const array of writes) assertWritable(task.id, grid, array)
  const bytesWritten = bytesIn(writes, largest(grid.writeRoi, grid.totalWriteRoi, grid.fit))
  const bytesPerBlock = bytesIn(reads, largest(grid.readRoi, grid.totalRoi, grid.fit)) + bytesWritten
  return {
    id: task.id,
    after: (task.after ?? []).map((upstream) => upstream.id),
    source: task,
    grid,
    unit: pass.finest,
    reads,
    writes,
    outputs,
    warnings,
    requires: requiresOf(task, plan),
    ...maxFailuresOf(task),
    ...checkLimits(task, `Task "${task.id}"`),
    ...given({ voxels: plan.voxels ?? voxelsOf(writes[0]) }),
    ...given({ mask, masked: await maskedBlocks(task.id, grid, { mask, masked: plan.masked }) }),
    isGrowable: plan.growable ?? true,
    regionFields: plan.regionFields ?? [],
    isTransient: task.transient ?? false,
    bytesWritten,
    bytesPerBlock,
    memoryPerBlock: memoryOf(task, plan) ?? Number(bytesPerBlock),
    voxelsPerBlock: meanVoxels(grid, writes[0] ?? reads.find((array) => array.voxelSize.length === grid.shape.length)),
  }
}

/**
 * A task that chooses its blocks by the volume keeps those of its record, with the same context. One that was told which blocks to use
 * has the same ones, since it has the same configuration.
 * @param shape that a block of the record writes
 */
function withBlock(plan: TaskPlan, shape: Coordinate | undefined): TaskPlan {
  const { readRoi, writeRoi, growable = true, masked } = plan
  const isAnother = shape?.length === writeRoi.shape.length && String(shape) !== String(writeRoi.shape)
  if (shape === undefined || !isAnother || !growable || masked !== undefined) return plan
  const context = subtractCoordinates(readRoi.shape, writeRoi.shape)
  return {
    ...plan,
    writeRoi: { ...writeRoi, shape },
    readRoi: { ...readRoi, shape: addCoordinates(context, shape) },
  }
}

function voxelsOf(array: VolumeDescription | undefined): VoxelPlacement | undefined {
  return array === undefined ? undefined : { voxelSize: array.voxelSize, offset: array.offset }
}

function leftOutWarning(grid: BlockGrid, output: VolumeDescription | undefined): string {
  const amount =
    output === undefined
      ? `${showCoordinate(grid.leftOut)} world units at the high ends`
      : `${grid.leftOutVolume() / countElements(output.voxelSize)} voxels`
  return `fit "valid" leaves out ${amount}, since the total is not a whole number of blocks; "shrink" writes all.`
}

/** A block, cut as the largest one is: with the fit "shrink", no block is larger than the total. */
const largest = (block: Roi, total: Roi, fit: Fit): Roi =>
  fit === 'shrink' ? { ...block, shape: combine<'world'>(block.shape, total.shape, Math.min) } : block

/** Bytes of a region's voxels in those arrays that have its axes; every voxel that it touches counts. */
function bytesIn(arrays: readonly VolumeDescription[], region: Roi): bigint {
  return arrays
    .filter((array) => array.voxelSize.length === region.shape.length)
    .reduce((total, array) => {
      const voxels = voxelsAcross(array, snapRoi(region, array.voxelSize, 'grow').shape)
      const elements = countElements([...array.shape.slice(0, array.channelAxes), ...voxels])
      return total + elements * BigInt(BYTES_PER_ELEMENT[array.dtype])
    }, 0n)
}

/** @param measure gives the size of a voxel; without it, world units are counted */
function meanVoxels(grid: BlockGrid, measure: VolumeDescription | undefined): number {
  const { shape } = grid.fit === 'shrink' ? grid.totalWriteRoi : grid.writeRoi
  const voxels = productOf(shape.map((length, axis) => length / (measure?.voxelSize[axis] ?? 1)))
  return grid.fit === 'shrink' ? voxels / grid.blockCount : voxels
}

/** What a worker needs: one processor, unless the task, its plan, or the node says otherwise. */
function requiresOf(task: TaskLike, plan: TaskPlan): Resources {
  const ofPlan = checkResources(
    plan.requires ?? {},
    `Task "${task.id}": "requires"${isTaskNode(task) ? ' of its plan' : ''}`,
  )
  const all = isTaskNode(task) ? { ...task.definition.options.requires, ...ofPlan, ...task.requires } : ofPlan
  return Object.fromEntries(Object.entries({ cpu: 1, ...all }).filter(([name, amount]) => name === 'cpu' || amount > 0))
}

function memoryOf(task: TaskLike, { memory }: TaskPlan): number | undefined {
  if (memory === undefined || (Number.isFinite(memory) && memory >= 0)) return memory
  throw new ConfigError(
    'INVALID_TASK',
    `Task "${task.id}": "memory" of its plan is ${memory}; expected the bytes that a block needs.`,
  )
}

function maxFailuresOf(task: TaskLike): Pick<PlannedTask, 'maxFailures'> {
  const maxFailures = task.maxFailures ?? (isTaskNode(task) ? task.definition.options.maxFailures : undefined)
  if (maxFailures === undefined) return {}
  return { maxFailures: checkMaxFailures(maxFailures, `Task "${task.id}": "maxFailures"`) }
}

async function callPlan(
  node: TaskNode,
  arrays: TaskPlanning['arrays'],
  warnings: TaskPlanning['warnings'],
): Promise<TaskPlan> {
  const plan = await callUserCode(`Task "${node.id}" can't be planned`, () =>
    node.definition.options.plan(node.config, {
      arrays,
      taskId: node.id,
      warn: (message) => warnings.push(message),
    }),
  )
  for (const field of ['totalRoi', 'readRoi', 'writeRoi'] as const) {
    if (plan?.[field]?.offset === undefined || plan[field].shape === undefined) {
      throw new ConfigError(
        'INVALID_TASK',
        `Task "${node.id}": its plan returned no ${field}; expected a Roi { offset, shape }, as roi(offset, shape) makes it.`,
      )
    }
  }
  const unknown = Object.keys(plan).filter((field) => !PLAN_FIELDS.includes(field))
  if (unknown.length > 0) {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${node.id}": its plan returned the unknown field "${unknown.join('", "')}"; the fields are ${PLAN_FIELDS.join(', ')}.`,
    )
  }
  return plan
}

/** Every existing field: a misspelt one would be ignored silently. */
const PLAN_FIELDS = Object.keys({
  totalRoi: 1,
  readRoi: 1,
  writeRoi: 1,
  fit: 1,
  readWriteConflict: 1,
  requires: 1,
  writes: 1,
  voxels: 1,
  mask: 1,
  masked: 1,
  growable: 1,
  regionFields: 1,
  memory: 1,
} satisfies Record<keyof TaskPlan, 1>)
