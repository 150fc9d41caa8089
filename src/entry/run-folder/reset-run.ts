import { ConfigError } from '../../core/errors.ts'
import { growRoi, intersectRoi, type Roi, roi } from '../../core/geometry/roi.ts'
import { isSlice, parseRoi, showRoiInNm } from '../../core/geometry/roi-text.ts'
import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import { type IndexBox, isEmptyBox } from '../../core/grid/index-box.ts'
import { countSetBits, isBitSet } from '../../core/scheduling/bitmap.ts'
import { orderTasks } from '../../core/scheduling/pipeline.ts'
import type { ProgressStore, RunRecord } from '../../ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../../runtime/coordinator/progress-recorder.ts'
import { openArray } from '../arrays.ts'
import { ownCommand } from '../own-command.ts'
import { hasEnded, identityOfProcess } from '../process-identity.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { holdRunFolder, readRunDocument } from './run-folder.ts'
import { absolutePath, type DescribedTask } from './run-place.ts'

export interface ResetOptions {
  readonly place?: ProgressPlace | undefined
  /** Forget failed attempts only. @default false */
  readonly failed?: boolean
  /** Forget only blocks that write in this region, `offset:shape` in nm, and the blocks that depend on them. @default everything */
  readonly roi?: string | undefined
  /** Forget only blocks of these tasks, and the blocks that depend on them. @default all tasks */
  readonly tasks?: readonly string[] | undefined
  /** Called before anything is forgotten, while no other process can start the run; if it throws, nothing is. */
  readonly confirm?: (forgotten: readonly Forgotten[]) => Promise<void>
}

/** What was forgotten for a task. */
export interface Forgotten {
  readonly id: string
  readonly blocks: number
  readonly failedAttempts: number
}

/**
 * Forgets what a run has done.
 * @throws ConfigError `NO_SUCH_FILE`, `RUN_LOCKED` while it is running, here or elsewhere, `INVALID_ROI`, `UNKNOWN_TASK`
 */
export async function resetRun(folder: string, options: ResetOptions): Promise<Forgotten[]> {
  const document = readRunDocument(folder)
  if (document === undefined)
    throw new ConfigError(
      'NO_SUCH_FILE',
      `${folder} is not the folder of a run; ${ownCommand('runs')} lists the runs here.`,
    )
  assertTasks(document.tasks, options.tasks)
  using _held = holdRunFolder(folder, document)
  await using store = await openProgressStore(options.place ?? document.progress, folder)
  const name = store === undefined ? '' : recordName(store, folder)
  const identity = await identityIn(store, name)
  if (store === undefined || identity === undefined) return []
  await using _lock = await store.lock?.(name, { ...identityOfProcess(), since: Date.now() }, hasEnded)
  await using record = await store.open(identity)
  const region = options.roi === undefined ? undefined : await inNanometers(options.roi, document)
  const boxes = options.failed ? [] : boxesIn(document.tasks, { ...options, roi: region })
  const chosen: ChosenBlocks[] = []
  for (const [number, task] of document.tasks.entries()) {
    const isLeft = options.failed && options.tasks !== undefined && !options.tasks.includes(task.id)
    chosen.push(await choose(record, number, task, isLeft ? [] : boxes[number]))
  }
  const forgotten = chosen.map((task) => task.forgotten)
  await options.confirm?.(forgotten)
  for (const number of resetOrder(document.tasks)) {
    const { blocks } = chosen[number] as ChosenBlocks
    if (blocks === 'all') await record.clear(number)
    else if (blocks.size > 0) await record.clear(number, blocks)
  }
  return forgotten
}

function assertTasks(described: readonly DescribedTask[], ids: readonly string[] = []): void {
  const known = described.map(({ id }) => id)
  const unknown = ids.find((id) => !known.includes(id))
  if (unknown === undefined) return
  throw new ConfigError('UNKNOWN_TASK', `The run has no task "${unknown}"; its tasks are ${known.join(', ')}.`)
}

/** The blocks of a task to forget, and their number. */
interface ChosenBlocks {
  readonly blocks: 'all' | ReadonlySet<number>
  readonly forgotten: Forgotten
}

/**
 * The places of tasks in an order in which a reset may be interrupted after any of them: no task is forgotten while one that reads its
 * output is still recorded as done. A transient task is the exception: it has to be done again before a task that reads it, and as long as
 * that task is recorded as done, it isn't needed.
 */
function resetOrder(tasks: readonly DescribedTask[]): number[] {
  const places = [...tasks.keys()]
  const isTransient = (place: number) => tasks[place]?.transient === true
  return [...places.filter(isTransient), ...places.filter((place) => !isTransient(place)).reverse()]
}

async function identityIn(store: ProgressStore | undefined, name: string) {
  await using reader = await store?.read(name)
  return reader?.identity
}

/** @param boxes the blocks to forget @default those that failed */
async function choose(
  record: RunRecord,
  number: number,
  { id, grid }: DescribedTask,
  boxes: readonly IndexBox[] | undefined,
): Promise<ChosenBlocks> {
  const done = await readCompleted(record, number)
  const { blocks: failed } = await readFailedBlocks(record, number, done, 0)
  const blocks = createBlockGrid(grid)
  // A set of all blocks may not fit into memory.
  if (boxes?.some((box) => countBlocks(box) === blocks.blockCount)) {
    const forgotten = { id, blocks: countSetBits(done, blocks.blockCount), failedAttempts: failed.length }
    return { blocks: 'all', forgotten }
  }
  const chosen = new Set(boxes === undefined ? failed : indicesOf(blocks, boxes))
  let count = 0
  for (const block of chosen) if (isBitSet(done, block)) count++
  const failedAttempts = failed.filter((block) => chosen.has(block)).length
  return { blocks: chosen, forgotten: { id, blocks: count, failedAttempts } }
}

const countBlocks = ({ start, end }: IndexBox): number =>
  end.reduce((count, last, axis) => count * Math.max(0, last - (start[axis] as number)), 1)

function* indicesOf(grid: BlockGrid, boxes: readonly IndexBox[]): Generator<number> {
  for (const box of boxes) yield* grid.indicesOf(box)
}

/** A region that is written in voxels refers to those of the first dataset that the run reads, or else writes. */
async function inNanometers(
  text: string,
  { directory, tasks }: NonNullable<ReturnType<typeof readRunDocument>>,
): Promise<string> {
  const [path] = [...tasks.flatMap(({ reads = [] }) => reads), ...tasks.flatMap(({ writes = [] }) => writes)]
  if (!isSlice(text) || path === undefined) return text
  await using array = await openArray(absolutePath(path, directory))
  return showRoiInNm(parseRoi(text, array.unit, array), array.unit)
}

/** The blocks of every task to forget. */
function boxesIn(tasks: readonly DescribedTask[], { roi: text, tasks: chosen }: ResetOptions): IndexBox[][] {
  const ids = tasks.map(({ id }) => id)
  return boxesBehind(
    tasks.map(({ id, grid: options, after, unit, transient = false }) => {
      const grid = createBlockGrid(options)
      const voxelSize = grid.shape.map(() => 1)
      const place = { voxelSize, offset: voxelSize.map(() => 0) }
      const region = text === undefined ? grid.totalWriteRoi : parseRoi(text, unit, place)
      const isChosen = chosen === undefined || chosen.includes(id)
      const before = after.map((task) => ids.indexOf(task))
      return { grid, after: before, isTransient: transient, ...(isChosen ? { region } : {}) }
    }),
  )
}

/** A task of a chain, the positions of the tasks it depends on, and a region in its unit: none if it is not chosen itself. */
export interface ChainedGrid {
  readonly grid: BlockGrid
  readonly after: readonly number[]
  readonly region?: Roi
  readonly isTransient: boolean
}

/**
 * For every task: the blocks that write in its region, and the blocks that read the output of such blocks upstream. For transient tasks also
 * the blocks whose output all these read.
 */
export function boxesBehind(chain: readonly ChainedGrid[]): IndexBox[][] {
  const boxes: IndexBox[][] = chain.map(() => [])
  const nodes = chain.map(({ after }, place) => ({ id: String(place), after: after.map(String) }))
  const upstreamFirst = orderTasks(nodes).topological
  for (const { grid, after, region, mine } of upstreamFirst.map(at)) {
    if (region !== undefined) mine.push(grid.blockBox(region))
    for (const before of after.map(at)) {
      for (const box of before.mine) mine.push(readersOf(grid, writtenBy(before.grid, box)))
    }
    mine.splice(0, mine.length, ...mine.filter((box) => !isEmptyBox(box)))
  }
  // The transient input of these blocks may have been removed when they were done, so it has to be written again.
  for (const { grid, after, mine } of upstreamFirst.toReversed().map(at)) {
    for (const before of after.map(at)) {
      if (!before.isTransient) continue
      const needed = mine.map((box) => before.grid.blockBox(readBy(grid, box)))
      before.mine.push(...needed.filter((box) => !isEmptyBox(box)))
    }
  }
  return boxes

  function at(place: number) {
    return { ...(chain[place] as ChainedGrid), mine: boxes[place] as IndexBox[] }
  }
}

/** The blocks that read from a region. */
function readersOf(grid: BlockGrid, region: Roi): IndexBox {
  const { lower, upper } = grid.context
  // A block reads `lower` before and `upper` after its write ROI, so the write ROI may lie `upper` before or `lower` after the region.
  return grid.blockBox(growRoi(region, upper, lower))
}

/** The region that a box of blocks reads. */
const readBy = (grid: BlockGrid, box: IndexBox): Roi =>
  growRoi(writtenBy(grid, box), grid.context.lower, grid.context.upper)

/** The region that a box of blocks writes. */
function writtenBy({ totalWriteRoi, writeRoi, fit }: BlockGrid, { start, end }: IndexBox): Roi {
  const written = roi(
    start.map((first, axis) => (totalWriteRoi.offset[axis] as number) + first * (writeRoi.shape[axis] as number)),
    start.map((first, axis) => ((end[axis] as number) - first) * (writeRoi.shape[axis] as number)),
  )
  return fit === 'shrink' ? intersectRoi(written, totalWriteRoi) : written
}
