import { ConfigError } from '../errors.ts'
import { growRoi, intersectRoi, type Roi, roi } from '../geometry/roi.ts'
import { parseRoi, showRoiInNm } from '../geometry/roi-text.ts'
import type { WorldUnit } from '../geometry/world-unit.ts'
import type { BlockGrid } from '../grid/block-grid.ts'
import { type IndexBox, isEmptyBox } from '../grid/index-box.ts'
import { orderTasks } from '../scheduling/pipeline.ts'

/** A task of a run of which blocks are to be forgotten. */
export interface ForgettableTask {
  readonly id: string
  readonly grid: BlockGrid
  readonly after: readonly string[]
  /** The unit of its Rois. */
  readonly unit: WorldUnit
  readonly isTransient: boolean
}

/** What is to be forgotten. */
export interface ForgetOptions {
  /** Blocks that write in this region, `offset:shape` in nm, and the blocks that depend on them. @default everything */
  readonly roi?: string | undefined
  /** Blocks of these tasks, and the blocks that depend on them. @default all tasks */
  readonly tasks?: readonly string[] | undefined
}

/**
 * The blocks of every task to forget.
 * @throws ConfigError `UNKNOWN_TASK`, `INVALID_ROI`
 */
export function forgottenBoxes(
  tasks: readonly ForgettableTask[],
  { roi: text, tasks: chosen }: ForgetOptions,
): IndexBox[][] {
  const ids = tasks.map(({ id }) => id)
  assertKnown(ids, chosen)
  const isChosen = ({ id }: ForgettableTask) => chosen === undefined || chosen.includes(id)
  const chain = tasks.map((task) => {
    const { grid, after, unit, isTransient } = task
    const voxelSize = grid.shape.map(() => 1)
    const place = { voxelSize, offset: voxelSize.map(() => 0) }
    // Rois in voxels are converted before: tasks may have several voxel sizes.
    const region = text === undefined ? grid.totalWriteRoi : parseRoi(text, unit, place)
    const before = after.map((other) => ids.indexOf(other))
    return { grid, after: before, isTransient, ...(isChosen(task) ? { region } : {}) }
  })
  const isMet = ({ grid, region }: (typeof chain)[number]) => region !== undefined && !isEmptyBox(grid.blockBox(region))
  if (text !== undefined && !chain.some(isMet)) throw outsideOf(text, tasks.filter(isChosen))
  return boxesBehind(chain)
}

/** A task of which blocks are chosen by a region. */
type RegionTask = Pick<ForgettableTask, 'id' | 'grid' | 'unit'>

/** That no block of these tasks writes in a region. @param at where the region was read @default nowhere in particular */
export function outsideOf(text: string, tasks: readonly RegionTask[], at = ''): ConfigError {
  const idsByRegion = new Map<string, string[]>()
  for (const { id, grid, unit } of tasks) {
    const written = showRoiInNm(grid.totalWriteRoi, unit)
    idsByRegion.set(written, [...(idsByRegion.get(written) ?? []), `"${id}"`])
  }
  const [first, ...others] = [...idsByRegion]
  const regions =
    others.length === 0 && first !== undefined
      ? `${first[0]} nm`
      : [...idsByRegion].map(([region, ids]) => `${region} nm (${ids.join(', ')})`).join(', ')
  return new ConfigError(
    'INVALID_ROI',
    `${at}${at === '' ? 'No' : 'no'} block writes in the region ${text}; the blocks of the run write in ${regions}.`,
  )
}

function assertKnown(known: readonly string[], ids: readonly string[] = []): void {
  const unknown = ids.find((id) => !known.includes(id))
  if (unknown === undefined) return
  throw new ConfigError('UNKNOWN_TASK', `The run has no task "${unknown}"; its tasks are ${known.join(', ')}.`)
}

/**
 * The places of tasks in an order in which forgetting may be interrupted after any of them: no task is forgotten while one that reads its
 * output is still recorded as done. A transient task is the exception: it has to be done again before a task that reads it, and as long as
 * that task is recorded as done, it isn't needed.
 * @param isTransient by task, each after those before it
 */
export function forgettingOrder(isTransient: readonly boolean[]): number[] {
  const places = [...isTransient.keys()]
  const transient = places.filter((place) => isTransient[place])
  return [...transient, ...places.filter((place) => !isTransient[place]).reverse()]
}

/** How many blocks a box contains. */
export const countBlocks = ({ start, end }: IndexBox): number =>
  end.reduce((count, last, axis) => count * Math.max(0, last - (start[axis] as number)), 1)

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
