import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, countElements, showCoordinate } from '../../core/geometry/coordinate.ts'
import { finerUnit, showRoiInNm, type WorldUnit } from '../../core/geometry/placement.ts'
import {
  containsRoi,
  intersectRoi,
  isAlignedRoi,
  meetsRoi,
  type Roi,
  roi,
  roiFrom,
  shiftRoi,
  snapRoi,
} from '../../core/geometry/roi.ts'
import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import { gridOptions } from '../../core/grid/grid-options.ts'
import { findSharedChunk, greatestDivisor, largestDivisor } from '../../core/grid/shared-chunks.ts'
import { orderTasks } from '../../core/scheduling/pipeline.ts'
import { checkResources, type Resources } from '../../core/workers/resources.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { CreateArrayOptions } from '../../ports/chunked-array.ts'
import {
  createOptionsOf,
  describeVolume,
  type VolumeDescription,
  volumeArray,
  voxelsAcross,
} from '../volumes/volume-array.ts'
import {
  type ClosureTask,
  callUserCode,
  type PlanArrays,
  type TaskLike,
  type TaskNode,
  type TaskPlan,
} from './define-task.ts'
import { assertTransient, withMaxAhead } from './retained-outputs.ts'

/** An array that a run will make before its first block. */
export interface PlannedOutput {
  readonly path: string
  readonly options: CreateArrayOptions
}

/** One task of a run, ready to be scheduled. */
export interface PlannedTask {
  readonly id: string
  readonly after: readonly string[]
  readonly source: TaskNode | ClosureTask
  readonly grid: BlockGrid
  readonly unit: WorldUnit
  readonly reads: readonly VolumeDescription[]
  readonly writes: readonly VolumeDescription[]
  readonly outputs: readonly PlannedOutput[]
  readonly warnings: readonly string[]
  /** What one worker needs for it; `cpu` is always there. */
  readonly requires: Resources
  /** How many of its blocks may be waited for by others. */
  readonly maxAhead?: number
  /** What it writes is removed when all who need it are done. */
  readonly isTransient: boolean
  /** Bytes of voxels that one block writes. */
  readonly bytesWritten: bigint
  /** Bytes that one block holds at least: what it reads and what it writes. */
  readonly bytesPerBlock: bigint
  /** Voxels of a block's write Roi, in the first output (or input): their mean where the last blocks are cut. */
  readonly voxelsPerBlock: number
}

/** What a run would do: all that is checked before its first block. */
export interface PlannedPipeline {
  /** In an order in which each comes after those it waits for. */
  readonly tasks: readonly PlannedTask[]
  readonly unit: WorldUnit
}

export interface PlanOptions {
  readonly arrays: ArrayStore
  /** Replace outputs that exist. @default false */
  readonly overwrite?: boolean
}

/**
 * Plans every task of a run and checks the whole, without writing anything: each task's `plan` is called, its grid cut,
 * and its outputs compared with its blocks. Tasks whose arrays are in different world units are planned again in the
 * finest of them.
 * @throws ConfigError for whatever is wrong with a task, its arrays, or their order
 */
export async function planPipeline(tasks: readonly TaskLike[], options: PlanOptions): Promise<PlannedPipeline> {
  const all = withUpstream(tasks)
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
      return { tasks: result, unit }
    }
    unit = finest
  }
}

/** The tasks and all that they come after, each once. */
function withUpstream(tasks: readonly TaskLike[]): TaskLike[] {
  const found = new Set<TaskLike>()
  const visit = (task: TaskLike): void => {
    if (found.has(task)) return
    found.add(task)
    for (const upstream of task.after ?? []) visit(upstream)
  }
  for (const task of tasks) visit(task)
  if (found.size === 0) throw new ConfigError('INVALID_TASK', 'There is no task to run: give at least one.')
  return [...found]
}

/** Plans all tasks with arrays counted in `unit` or, where one needs it, a finer unit (`PlannedTask.unit` says so). */
async function planInUnit(tasks: readonly TaskLike[], unit: WorldUnit, options: PlanOptions): Promise<PlannedTask[]> {
  await using planning = new Planning(unit, options)
  const planned: PlannedTask[] = []
  for (const task of tasks) planned.push(await planTask(task, planning))
  return planned
}

async function planTask(task: TaskLike, planning: Planning): Promise<PlannedTask> {
  const session = planning.startTask(task.id)
  const plan: TaskPlan = isNode(task) ? await callPlan(task, session) : task
  const grid = createBlockGrid({ ...gridOptions(plan), taskId: task.id })
  const writes = plan.writes ?? []
  const leftOut = grid.leftOutVolume()
  if (leftOut > 0n) {
    const [first] = writes
    const voxels = first === undefined ? undefined : leftOut / countElements(first.voxelSize)
    const amount =
      voxels === undefined ? `${showCoordinate(grid.leftOut)} world units at the high ends` : `${voxels} voxels`
    session.warnings.push(
      `fit "valid" leaves out ${amount}, since the total is not a whole number of blocks; "shrink" writes all.`,
    )
  }
  for (const array of writes) assertWritable(task.id, grid, array)
  const bytes = (array: VolumeDescription, region: Roi): bigint => {
    const voxels = voxelsAcross(array, snapRoi(region, array.voxelSize, 'grow').shape)
    return (
      countElements([...array.shape.slice(0, array.channelAxes), ...voxels]) * BigInt(BYTES_PER_ELEMENT[array.dtype])
    )
  }
  const sum = (arrays: readonly VolumeDescription[], region: Roi) =>
    arrays
      .filter((array) => array.voxelSize.length === region.shape.length)
      .reduce((total, array) => total + bytes(array, region), 0n)
  const measure = writes[0] ?? session.reads.find((array) => array.voxelSize.length === grid.shape.length)
  return {
    id: task.id,
    after: (task.after ?? []).map((upstream) => upstream.id),
    source: task,
    grid,
    unit: planning.finest,
    reads: session.reads,
    writes,
    outputs: session.outputs,
    warnings: session.warnings,
    requires: requiresOf(task, plan),
    isTransient: task.transient ?? false,
    bytesWritten: sum(writes, grid.writeRoi),
    bytesPerBlock: sum(session.reads, grid.readRoi) + sum(writes, grid.writeRoi),
    voxelsPerBlock: meanVoxels(grid, measure),
  }
}

function meanVoxels(grid: BlockGrid, measure: VolumeDescription | undefined): number {
  const { shape } = grid.fit === 'shrink' ? grid.totalWriteRoi : grid.writeRoi
  const voxels = shape.reduce((product, length, axis) => (product * length) / (measure?.voxelSize[axis] ?? 1), 1)
  return grid.fit === 'shrink' ? voxels / grid.blockCount : voxels
}

/** What a worker needs: one processor, unless the task, its plan, or the node says otherwise. */
function requiresOf(task: TaskLike, plan: TaskPlan): Resources {
  const said = checkResources(plan.requires ?? {}, `Task "${task.id}": "requires"${isNode(task) ? ' of its plan' : ''}`)
  const all = isNode(task) ? { ...task.definition.options.requires, ...said, ...task.requires } : said
  return Object.fromEntries(Object.entries({ cpu: 1, ...all }).filter(([name, amount]) => name === 'cpu' || amount > 0))
}

const isNode = (task: TaskLike): task is TaskNode => 'kind' in task && task.kind === 'task'

async function callPlan(node: TaskNode, session: TaskPlanning): Promise<TaskPlan> {
  const plan = await callUserCode(`Task "${node.id}" can't be planned`, () =>
    node.definition.options.plan(node.config, {
      arrays: session.arrays,
      taskId: node.id,
      warn: (message) => session.warnings.push(message),
    }),
  )
  for (const field of ['totalRoi', 'readRoi', 'writeRoi'] as const) {
    if (plan?.[field]?.offset === undefined || plan[field].shape === undefined) {
      throw new ConfigError(
        'INVALID_TASK',
        `Task "${node.id}": its plan returned no ${field}; a Roi is { offset, shape }, as roi(offset, shape) makes it.`,
      )
    }
  }
  const unknown = Object.keys(plan).filter((field) => !PLAN_FIELDS.includes(field))
  if (unknown.length > 0) {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${node.id}": its plan returned "${unknown.join('", "')}", which there is not; it may return ${PLAN_FIELDS.join(', ')}.`,
    )
  }
  return plan
}

/** Every field that there is: one that is misspelt would be passed over without a word. */
const PLAN_FIELDS = Object.keys({
  totalRoi: 1,
  readRoi: 1,
  writeRoi: 1,
  fit: 1,
  readWriteConflict: 1,
  requires: 1,
  writes: 1,
} satisfies Record<keyof TaskPlan, 1>)

interface TaskPlanning {
  readonly arrays: PlanArrays
  readonly reads: VolumeDescription[]
  readonly outputs: PlannedOutput[]
  readonly warnings: string[]
}

/** What the tasks of one planning pass opened and will create; closes what it opened. */
class Planning implements AsyncDisposable {
  readonly #unit: WorldUnit
  readonly #store: ArrayStore
  readonly #overwrite: boolean
  readonly #created = new Map<string, VolumeDescription>()
  readonly #opened = new Map<string, ReturnType<typeof volumeArray>>()
  /** The finest unit that any array needed. */
  finest: WorldUnit

  constructor(unit: WorldUnit, options: PlanOptions) {
    this.#unit = unit
    this.finest = unit
    this.#store = options.arrays
    this.#overwrite = options.overwrite ?? false
  }

  startTask(taskId: string): TaskPlanning {
    const session: TaskPlanning = {
      reads: [],
      outputs: [],
      warnings: [],
      arrays: {
        open: async (path) => {
          const array = await this.#open(path)
          session.reads.push(array)
          return array
        },
        create: async (path, options) => {
          const wanted = {
            ...createOptionsOf(path, options),
            ifExists: options.ifExists ?? (this.#overwrite ? 'replace' : 'reuse'),
          } as const
          const key = this.#store.canonicalPath(path)
          if (wanted.ifExists === 'replace' && this.#opened.has(key)) {
            throw new ConfigError(
              'OUTPUT_CONFLICT',
              `Task "${taskId}" would replace ${path}, which this run reads; write to another path.`,
            )
          }
          const description = this.#noteUnit(describeVolume(await this.#store.planCreate(path, wanted), this.#unit))
          // Also where a group of one pyramid stands for its finest array, and whatever way the path was written.
          const place = this.#store.canonicalPath(description.path)
          if (session.reads.some((array) => this.#store.canonicalPath(array.path) === place)) {
            throw new ConfigError(
              'OUTPUT_CONFLICT',
              `Task "${taskId}": its input and its output are both ${path}; write to another path.`,
            )
          }
          this.#created.set(key, description)
          session.outputs.push({ path, options: wanted })
          return description
        },
      },
    }
    return session
  }

  async #open(path: string) {
    const key = this.#store.canonicalPath(path)
    const planned = this.#created.get(key)
    if (planned !== undefined) {
      const read = () =>
        Promise.reject(
          new ConfigError('NO_SUCH_DATASET', `${path} is made by this run and can't be read while it is planned.`),
        )
      return { ...planned, read }
    }
    const known = this.#opened.get(key)
    if (known !== undefined) return known
    const array = volumeArray(await this.#store.open(path), this.#unit)
    this.#opened.set(key, array)
    this.#noteUnit(array)
    return array
  }

  #noteUnit<Volume extends VolumeDescription>(volume: Volume): Volume {
    this.finest = finerUnit(this.finest, volume.unit)
    return volume
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened.values()].map((array) => array.close()))
  }
}

/** Refuses blocks that are not whole voxels of what they write, or that could lose each other's writes in one chunk. */
function assertWritable(taskId: string, grid: BlockGrid, array: VolumeDescription): void {
  if (array.voxelSize.length !== grid.shape.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `Task "${taskId}": its blocks have ${grid.shape.length} axes, but ${array.path} has ${array.voxelSize.length} besides its ${array.channelAxes} channels.`,
    )
  }
  const step = roi(roiFrom(grid.totalWriteRoi, array.offset).offset, grid.writeRoi.shape)
  if (!isAlignedRoi(step, array.voxelSize)) {
    throw new ConfigError(
      'NOT_VOXEL_ALIGNED',
      `Task "${taskId}": write blocks of ${showCoordinate(grid.writeRoi.shape)} ${array.unit} from ${showCoordinate(grid.totalWriteRoi.offset)} are not whole voxels of ${array.path}, which are ${showCoordinate(array.voxelSize)} ${array.unit}.`,
    )
  }
  const written = grid.fit === 'overhang' ? undefined : writtenRoi(grid)
  if (written !== undefined && !containsRoi(array.roi, written)) {
    throw new ConfigError(
      'OUTSIDE_ARRAY',
      `Task "${taskId}": its blocks write ${showRoiInNm(written, array.unit)}, but ${array.path} fills only ${showRoiInNm(array.roi, array.unit)} nm; make the output as large, or totalRoi smaller.`,
    )
  }
  const pieceVoxels = pieceVoxelsOf(array)
  const axes = findSharedChunk(grid, { offset: array.offset, chunkShape: pieceShapeOf(array) })
  if (axes === undefined) return
  const name = array.shardShape === undefined ? 'chunk' : 'shard'
  const fitting = pieceVoxels.map((length, axis) => {
    const size = array.voxelSize[axis] as number
    const width = (grid.writeRoi.shape[axis] as number) / size
    const start = ((grid.totalWriteRoi.offset[axis] as number) - (array.offset[axis] as number)) / size
    const common = greatestDivisor(width, Math.abs(start))
    return common % length === 0 ? length : largestDivisor(common, length)
  })
  throw new ConfigError(
    'CHUNK_CONFLICT',
    `Task "${taskId}": blocks that are neighbours along axis ${axes.join(' and ')} would write into the same ${name} of ${array.path} at the same time, and one would be lost: its ${name}s are ${showCoordinate(pieceVoxels)} voxels, the blocks ${voxelsAcross(array, grid.writeRoi.shape).join(' × ')}. Use ${name}s of ${showCoordinate(fitting)}, or blocks that are whole ${name}s.`,
  )
}

/** All that blocks write that do not stick out. */
const writtenRoi = ({ totalWriteRoi, leftOut }: BlockGrid): Roi =>
  roi(
    totalWriteRoi.offset,
    totalWriteRoi.shape.map((length, axis) => length - (leftOut[axis] as number)),
  )

/** Refuses two tasks that write the same place, or the same chunk, of one array without one waiting for the other. */
function assertOutputsApart(tasks: readonly PlannedTask[], store: ArrayStore): void {
  const upstream = new Map<string, Set<string>>()
  for (const task of tasks) {
    upstream.set(task.id, new Set(task.after.flatMap((id) => [id, ...(upstream.get(id) ?? [])])))
  }
  for (const [index, a] of tasks.entries()) {
    for (const b of tasks.slice(index + 1)) {
      if (upstream.get(b.id)?.has(a.id)) continue
      for (const array of a.writes) {
        const same = b.writes.find((other) => store.canonicalPath(other.path) === store.canonicalPath(array.path))
        if (same !== undefined && meetsRoi(wholePieces(a.grid, array), wholePieces(b.grid, array))) {
          throw new ConfigError(
            'OUTPUT_CONFLICT',
            `Tasks "${a.id}" and "${b.id}" both write ${array.path}, in the same place or the same chunks; let one come after the other, or give each its own output.`,
          )
        }
      }
    }
  }
}

/** All that a task writes of an array, grown to whole chunks (shards). */
function wholePieces(grid: BlockGrid, array: VolumeDescription): Roi {
  const local = roiFrom(intersectRoi(grid.totalWriteRoi, array.roi), array.offset)
  return shiftRoi(snapRoi(local, pieceShapeOf(array), 'grow'), array.offset)
}

/** What an array stores as one piece, chunks or shards, in voxels. */
const pieceVoxelsOf = (array: VolumeDescription): readonly number[] =>
  (array.shardShape ?? array.chunkShape).slice(array.channelAxes)

/** The same in world units. */
export const pieceShapeOf = (array: VolumeDescription): Coordinate =>
  pieceVoxelsOf(array).map((length, axis) => length * (array.voxelSize[axis] as number))
