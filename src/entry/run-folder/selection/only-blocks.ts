import { readNamedText } from '../../../adapters/files/open-file.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { isRegion, type ListedBlocks, parseBlockList } from '../../../core/control/block-list.ts'
import { leftOutBlocks, setBit } from '../../../core/control/chosen-blocks.ts'
import { outsideOf } from '../../../core/control/forgotten-region.ts'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import type { Roi } from '../../../core/geometry/roi.ts'
import { isSlice, parseRoi } from '../../../core/geometry/roi-text.ts'
import { given } from '../../../core/given.ts'
import { everyRow } from '../../../core/grid/index-box.ts'
import { unitedBits } from '../../../core/scheduling/bitmap.ts'
import type { PlannedPipeline, PlannedTask } from '../../../runtime/tasks/planned-task.ts'
import { hasOwnCheck } from '../../../runtime/tasks/task-node.ts'

/** What the record of a run says of the blocks of a task, by its place. */
export interface RecordedBlocks {
  completed(task: number): Uint8Array | undefined
  /** The blocks that failed. */
  failed(task: number): readonly number[]
}

/**
 * Chooses the blocks that `only` names.
 * @param only `failed`, a region, or the path of a file that lists blocks or regions
 * @param recorded undefined: only checks what is asked for
 * @returns the pipeline, in which every task has the blocks that are left out
 * @throws ConfigError `INVALID_CONFIG`, `INVALID_ROI`, `NO_SUCH_FILE`, `NO_SUCH_BLOCK`, `UNKNOWN_TASK`
 */
export function onlyBlocks(
  pipeline: PlannedPipeline,
  only: string | undefined,
  recorded: RecordedBlocks = { completed: () => undefined, failed: () => [] },
): PlannedPipeline {
  if (only === undefined) return pipeline
  const { tasks } = pipeline
  const chosen = tasks.map(({ grid }) => new Uint8Array(Math.ceil(grid.blockCount / 8)))
  if (isFailed(only)) {
    for (const [number, bits] of chosen.entries()) for (const index of recorded.failed(number)) setBit(bits, index)
  } else {
    for (const listed of listedBlocks(only)) addListed(tasks, listed, chosen)
  }
  const ids = tasks.map(({ id }) => id)
  const leftOut = leftOutBlocks(
    tasks.map(({ id, grid, after, masked, source }, number) => {
      const done = hasOwnCheck(source) ? undefined : recorded.completed(number)
      const settled = done === undefined ? masked : unitedBits(done, masked)
      return {
        id,
        grid,
        after: after.map((before) => ids.indexOf(before)),
        chosen: chosen[number] as Uint8Array,
        settled,
      }
    }),
  )
  return { ...pipeline, tasks: tasks.map((task, number) => ({ ...task, ...given({ leftOut: leftOut[number] }) })) }
}

export const isFailed = (only: string): boolean => only.toLowerCase() === 'failed'

function listedBlocks(only: string): readonly ListedBlocks[] {
  if (isRegion(only)) return [{ roi: only, at: 'Only' }]
  try {
    return parseBlockList(readNamedText(only), only)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(
      'NO_SUCH_FILE',
      `Only ${only}: expected "failed", a region (offset:shape in nm, or voxels), or a file that lists blocks: ${messageOf(error)}.`,
      { cause: error },
    )
  }
}

function addListed(tasks: readonly PlannedTask[], listed: ListedBlocks, chosen: readonly Uint8Array[]): void {
  if ('roi' in listed) addRegion(tasks, listed, chosen)
  else {
    const number = placeOf(tasks, listed)
    const { id, grid } = tasks[number] as PlannedTask
    if (listed.index >= grid.blockCount) {
      throw new ConfigError(
        'NO_SUCH_BLOCK',
        `${listed.at}: task "${id}" has no block ${listed.index}; its blocks are 0 to ${grid.blockCount - 1}.`,
      )
    }
    setBit(chosen[number] as Uint8Array, listed.index)
  }
}

function placeOf(tasks: readonly PlannedTask[], { task, at }: { readonly task?: string; readonly at: string }): number {
  const ids = tasks.map(({ id }) => id)
  const number = task === undefined && tasks.length === 1 ? 0 : ids.indexOf(task ?? '')
  if (number >= 0) return number
  const [code, what] =
    task === undefined
      ? (['INVALID_CONFIG', 'an index alone names no block of a run of several tasks'] as const)
      : (['UNKNOWN_TASK', `the run has no task "${task}"`] as const)
  throw new ConfigError(code, `${at}: ${what}; write task/index, with one of ${ids.join(', ')}.`)
}

function addRegion(
  tasks: readonly PlannedTask[],
  { roi, at }: { readonly roi: string; readonly at: string },
  chosen: readonly Uint8Array[],
): void {
  let count = 0
  for (const [number, { grid, unit }] of tasks.entries()) {
    const box = grid.blockBox(regionOf(tasks, roi, unit, grid.shape.length))
    everyRow(box, rowMajorStrides(grid.shape), (start, end) => {
      for (let index = start; index < end; index++) setBit(chosen[number] as Uint8Array, index)
      count += end - start
      return true
    })
  }
  if (count > 0) return
  throw outsideOf(roi, tasks, `${at}: `)
}

/** A region in nm, or in voxels of the first dataset that the run reads, or else writes. */
function regionOf(tasks: readonly PlannedTask[], text: string, unit: PlannedTask['unit'], rank: number): Roi {
  const [array] = [...tasks.flatMap(({ reads }) => reads), ...tasks.flatMap(({ writes }) => writes)]
  if (isSlice(text) && array !== undefined) return parseRoi(text, array.unit, array)
  const ones = Array<number>(rank).fill(1)
  return parseRoi(text, unit, { voxelSize: ones, offset: ones.map(() => 0) })
}
