import { ConfigError } from '../../core/errors.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'
import { isBitSet } from '../../core/scheduling/bitmap.ts'
import { BLOCK_STATES, BLOCK_STATES_ATTRIBUTE } from '../../core/view/view.ts'
import type { VolumeArray } from '../../runtime/volumes/volume-array.ts'
import { createArray, openArray, parseDatasetPath } from '../arrays.ts'
import type { DescribedTask } from './run-place.ts'
import type { RecordedTaskState, RunState } from './run-state.ts'

/** About how many elements are written at once. */
const SLAB_ELEMENTS = 4_194_304

/**
 * Writes the record of a run as Zarr arrays, one per task: uint8, one element per block, placed in the world where the block writes. The
 * attribute `block_states` explains the values.
 * @param path of the array; if the run has several tasks, of a group with one array for each
 * @returns the paths of the arrays
 * @throws ConfigError `DATASET_EXISTS` if the path is another kind of array, `UNSUPPORTED`
 */
export async function exportStates({ run, document, tasks }: RunState, path: string): Promise<string[]> {
  const { format } = parseDatasetPath(path)
  if (format.name !== 'zarr') {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: expected a Zarr path, because states are written as Zarr; use a name that ends in .zarr.`,
    )
  }
  const paths: string[] = []
  for (const [number, state] of tasks.entries()) {
    const taskPath = tasks.length === 1 ? path : `${path}/${encodeURIComponent(state.id)}`
    await using array = await stateArray(taskPath, run, document.tasks[number] as DescribedTask)
    await writeStates(array, state)
    paths.push(taskPath)
  }
  return paths
}

async function stateArray(path: string, run: string, { id, grid, unit }: DescribedTask): Promise<VolumeArray> {
  const { shape, totalWriteRoi, writeRoi } = createBlockGrid(grid)
  const options = {
    shape,
    dtype: 'uint8',
    voxelSize: writeRoi.shape,
    offset: totalWriteRoi.offset,
    unit,
    attributes: { [BLOCK_STATES_ATTRIBUTE]: { run, task: id, values: BLOCK_STATES } },
  } as const
  const before = await openArray(path).catch(() => undefined)
  await before?.[Symbol.asyncDispose]()
  // An earlier export is replaced; anything else is not.
  if (before !== undefined && !(BLOCK_STATES_ATTRIBUTE in before.attributes)) {
    throw new ConfigError('DATASET_EXISTS', `${path} exists and does not contain block states; choose another name.`)
  }
  return await createArray(path, { ...options, ifExists: 'replace' })
}

async function writeStates(array: VolumeArray, { done, failedBlocks, mask }: RecordedTaskState): Promise<void> {
  const { shape, chunkShape, roi } = array
  const rowElements = shape.slice(1).reduce((product, length) => product * length, 1)
  const chunkRows = chunkShape[0] as number
  const rows = chunkRows * Math.max(1, Math.floor(SLAB_ELEMENTS / (chunkRows * rowElements)))
  const failed = failedBlocks
  let nextFailed = 0
  const [rowSize, ...sizes] = array.voxelSize as readonly [number, ...number[]]
  const [start, ...offsets] = roi.offset as readonly [number, ...number[]]
  for (let row = 0; row < (shape[0] as number); row += rows) {
    const count = Math.min(rows, (shape[0] as number) - row)
    const first = row * rowElements
    const states = new Uint8Array(count * rowElements)
    for (let at = 0; at < states.length; at++) {
      if (isBitSet(done, first + at)) states[at] = 1
      else if (mask !== undefined && isBitSet(mask, first + at)) states[at] = 3
    }
    for (; nextFailed < failed.length; nextFailed++) {
      const block = failed[nextFailed] as number
      if (block >= first + states.length) break
      states[block - first] = 2
    }
    const slab = {
      offset: [start + row * rowSize, ...offsets],
      shape: [count * rowSize, ...sizes.map((size, axis) => size * (shape[axis + 1] as number))],
    }
    await array.write(slab, states)
  }
}
