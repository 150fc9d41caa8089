import { ConfigError } from '../core/errors.ts'
import { parseRoi } from '../core/geometry/placement.ts'
import { growRoi, type Roi, roi } from '../core/geometry/roi.ts'
import { type BlockGrid, createBlockGrid } from '../core/grid/block-grid.ts'
import { type IndexBox, isEmptyBox } from '../core/grid/index-box.ts'
import { countSetBits, isBitSet } from '../core/scheduling/bitmap.ts'
import type { ProgressStore, RunRecord } from '../ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../runtime/progress-recorder.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { holdRunFolder, readRunDocument } from './run-folder.ts'
import type { DescribedTask } from './run-place.ts'

export interface ResetOptions {
  readonly place?: ProgressPlace | undefined
  /** Forget failed tries alone. @default false */
  readonly failed?: boolean
  /** Only what was written in this region: `offset:shape` in nm, and what comes after it. @default everything */
  readonly roi?: string | undefined
}

/** What was forgotten of a task. */
export interface Forgotten {
  readonly id: string
  readonly blocks: number
  readonly failedTries: number
}

/**
 * Forgets what a run has done.
 * @throws ConfigError `NO_SUCH_FILE`, `RUN_LOCKED` while it is on, `INVALID_ROI`
 */
export async function resetRun(folder: string, options: ResetOptions): Promise<Forgotten[]> {
  const document = readRunDocument(folder)
  if (document === undefined) throw new ConfigError('NO_SUCH_FILE', `${folder} is not the folder of a run.`)
  using _held = holdRunFolder(folder, document)
  await using store = await openProgressStore(options.place ?? document.progress, folder)
  const name = store === undefined ? '' : recordName(store, folder)
  const identity = await identityIn(store, name)
  if (store === undefined || identity === undefined) return []
  await using record = await store.open(identity)
  const boxes = options.roi === undefined ? undefined : boxesBehind(document.tasks, options.roi)
  const forgotten: Forgotten[] = []
  for (const [number, task] of document.tasks.entries()) {
    forgotten.push(await forget(record, number, task, options.failed ?? false, boxes?.[number]))
  }
  return forgotten
}

async function identityIn(store: ProgressStore | undefined, name: string) {
  await using reader = await store?.read(name)
  return reader?.identity
}

async function forget(
  record: RunRecord,
  number: number,
  { id, grid }: DescribedTask,
  failedOnly: boolean,
  boxes: readonly IndexBox[] | undefined,
): Promise<Forgotten> {
  const done = await readCompleted(record, number)
  const { blocks: failed } = await readFailedBlocks(record, number, done, 0)
  const blocks = createBlockGrid(grid)
  if (!failedOnly && boxes === undefined) {
    await record.clear(number)
    return { id, blocks: countSetBits(done, blocks.blockCount), failedTries: failed.length }
  }
  const chosen = new Set(failedOnly ? failed : indicesOf(blocks, boxes ?? []))
  if (chosen.size > 0) await record.clear(number, chosen)
  let count = 0
  for (const block of chosen) if (isBitSet(done, block)) count++
  return { id, blocks: count, failedTries: failed.filter((block) => chosen.has(block)).length }
}

function* indicesOf(grid: BlockGrid, boxes: readonly IndexBox[]): Generator<number> {
  for (const box of boxes) yield* grid.indicesOf(box)
}

/**
 * For every task the blocks that write in a region, those that read what such blocks of the tasks before them write, and
 * of transient tasks those that all these read.
 */
function boxesBehind(tasks: readonly DescribedTask[], text: string): IndexBox[][] {
  const grids = tasks.map(({ grid }) => createBlockGrid(grid))
  const boxes: IndexBox[][] = []
  for (const [number, { after, unit }] of tasks.entries()) {
    const grid = grids[number] as BlockGrid
    const voxelSize = grid.shape.map(() => 1)
    const region = parseRoi(text, unit, { voxelSize, offset: voxelSize.map(() => 0) })
    const mine = [grid.blockBox(region)]
    for (const [before, { id }] of tasks.slice(0, number).entries()) {
      if (!after.includes(id)) continue
      for (const box of boxes[before] as IndexBox[]) {
        const { lower, upper } = grid.context
        // A block reads `lower` before and `upper` behind what it writes: so far off may what it writes be from what it reads.
        mine.push(grid.blockBox(growRoi(writtenBy(grids[before] as BlockGrid, box), upper, lower)))
      }
    }
    boxes.push(mine.filter((box) => !isEmptyBox(box)))
  }
  // What of a transient task these blocks read may have been removed when they were done: it has to be made again.
  for (const [number, { after }] of [...tasks.entries()].reverse()) {
    const { context } = grids[number] as BlockGrid
    for (const [before, { id, transient }] of tasks.entries()) {
      if (!transient || !after.includes(id)) continue
      const read = (boxes[number] as IndexBox[]).map((box) =>
        growRoi(writtenBy(grids[number] as BlockGrid, box), context.lower, context.upper),
      )
      const needed = read.map((region) => (grids[before] as BlockGrid).blockBox(region))
      boxes[before]?.push(...needed.filter((box) => !isEmptyBox(box)))
    }
  }
  return boxes
}

const writtenBy = ({ totalWriteRoi, writeRoi }: BlockGrid, { begin, end }: IndexBox): Roi =>
  roi(
    begin.map((first, axis) => (totalWriteRoi.offset[axis] as number) + first * (writeRoi.shape[axis] as number)),
    begin.map((first, axis) => ((end[axis] as number) - first) * (writeRoi.shape[axis] as number)),
  )
