import { ConfigError } from '../../core/errors.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'
import { isBitSet } from '../../core/scheduling/bitmap.ts'
import type { VolumeArray } from '../../runtime/volumes/volume-array.ts'
import { createArray, openArray, parseDatasetPath } from '../arrays.ts'
import type { DescribedTask } from './run-place.ts'
import type { RecordedTaskState, RunState } from './run-state.ts'

/** What an element of an exported array says of its block. */
const BLOCK_STATES = { 0: 'not done', 1: 'done', 2: 'failed' } as const
/** The attribute that says what an array is. */
const ATTRIBUTE = 'block_states'
/** Elements that are made at once, about. */
const SLAB_ELEMENTS = 4_194_304

/**
 * Writes the record of a run as Zarr arrays, one for each task: uint8, an element for each block, as many along each axis as there are
 * blocks, at the place in the world where the block writes. The attribute `block_states` says what the values mean.
 * @param path of the array; where the run has several tasks, of a group with an array for each
 * @returns the paths of the arrays
 * @throws ConfigError `DATASET_EXISTS` for an array that is something else, `UNSUPPORTED`
 */
export async function exportStates({ run, document, tasks }: RunState, path: string): Promise<string[]> {
  const { format } = parseDatasetPath(path)
  if (format.name !== 'zarr') {
    throw new ConfigError('UNSUPPORTED', `${path}: states are written as Zarr; give a name that ends in .zarr.`)
  }
  const paths: string[] = []
  for (const [number, state] of tasks.entries()) {
    const itsPath = tasks.length === 1 ? path : `${path}/${encodeURIComponent(state.id)}`
    await using array = await stateArray(itsPath, run, document.tasks[number] as DescribedTask)
    await writeStates(array, state)
    paths.push(itsPath)
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
    attributes: { [ATTRIBUTE]: { run, task: id, values: BLOCK_STATES } },
  } as const
  const before = await openArray(path).catch(() => undefined)
  await before?.[Symbol.asyncDispose]()
  // What was exported before is out of date.
  if (before !== undefined && !(ATTRIBUTE in before.attributes)) {
    throw new ConfigError('DATASET_EXISTS', `${path} is there and holds no states of blocks; choose another name.`)
  }
  return await createArray(path, { ...options, ifExists: 'replace' })
}

async function writeStates(array: VolumeArray, { done, failedBlocks }: RecordedTaskState): Promise<void> {
  const { shape, chunkShape, roi } = array
  const rowElements = shape.slice(1).reduce((product, length) => product * length, 1)
  const chunkRows = chunkShape[0] as number
  const rows = chunkRows * Math.max(1, Math.floor(SLAB_ELEMENTS / (chunkRows * rowElements)))
  const failed = failedBlocks.toSorted((a, b) => a - b)
  let nextFailed = 0
  const [rowSize, ...sizes] = array.voxelSize as readonly [number, ...number[]]
  const [begin, ...offsets] = roi.offset as readonly [number, ...number[]]
  for (let row = 0; row < (shape[0] as number); row += rows) {
    const count = Math.min(rows, (shape[0] as number) - row)
    const first = row * rowElements
    const states = new Uint8Array(count * rowElements)
    for (let at = 0; at < states.length; at++) if (isBitSet(done, first + at)) states[at] = 1
    for (; nextFailed < failed.length; nextFailed++) {
      const block = failed[nextFailed] as number
      if (block >= first + states.length) break
      states[block - first] = 2
    }
    const slab = {
      offset: [begin + row * rowSize, ...offsets],
      shape: [count * rowSize, ...sizes.map((size, axis) => size * (shape[axis + 1] as number))],
    }
    await array.write(slab, states)
  }
}
