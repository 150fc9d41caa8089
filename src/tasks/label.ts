import {
  countElements,
  createBlockGrid,
  defineTask,
  growRoi,
  type NodeOptions,
  openArray,
  type TaskNode,
} from '../entry/index.ts'
import {
  DisjointSets,
  faceBox,
  faceOf,
  findComponents,
  forwardSteps,
  type LabelBox,
  labelComponents,
  numberComponents,
  visitTouching,
} from '../entry/kernels.ts'
import { bytesOf, chunkWithin, defaultChunk, tiledShape } from './block-shapes.ts'
import { blockBox, type LabelConfig, labelConfig, layoutOf, partsOf } from './label-layout.ts'
import { Forest, type Neighbour, neighboursIn, readPairs } from './label-pairs.ts'
import { readRow, rowsArray, writeRow } from './rows.ts'
import { Scratch } from './scratch.ts'

// Connected components of a complete volume, in four tasks:
//   label-blocks  labels the components inside each block 1, 2, …, and stores the labels on the block's faces
//   label-pairs   compares the faces of neighbours: which of their labels belong to one component
//   label-merge   has one block: unites the labels of each component, and writes a table per block from its labels to those of
// the volume
//   label         labels the components of each block again, and writes them with its table
// Labelling a block twice takes no longer than writing its labels and reading them again, and needs no second volume. Every task can
// be interrupted and repeated: none changes its input.

/** Bytes for each voxel of a block while its components are found: at worst every other voxel is a run of three numbers. */
const RUN_BYTES_PER_VOXEL = 6

/** Values of a chunk of the faces, and the most decoded bytes of them that a worker still keeps when the last task starts. */
const FACES_CHUNK = 65_536
const MAX_KEPT_BYTES = 40_000_000

const keptFaces = (blocks: number, rowLength: number): number =>
  Math.min(MAX_KEPT_BYTES, blocks * Math.ceil(rowLength / FACES_CHUNK) * FACES_CHUNK * Uint32Array.BYTES_PER_ELEMENT)

const ENDS = ['lower', 'upper'] as const
type End = (typeof ENDS)[number]

export const labelBlocks = defineTask({
  name: 'label-blocks',
  config: labelConfig,
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const { options, voxels, rank, faceLength, maxComponents } = layoutOf(config, input)
    const { blockCount } = createBlockGrid(options)
    await arrays.create(partsOf(config).faces, rowsArray('uint32', blockCount, 2 * rank * faceLength, FACES_CHUNK))
    return { ...options, memory: bytesOf(input, voxels) + (RUN_BYTES_PER_VOXEL + 4) * maxComponents }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const faces = await arrays.open(partsOf(config).faces, { mode: 'r+' })
    const { rank, faceLength } = layoutOf(config, input)
    const scratch = new Scratch()
    return async (block, { signal }) => {
      using voxels = await scratch.read(input, block.readRoi, signal)
      using into = scratch.take('uint32', voxels.data.length)
      const { labels, count } = labelComponents(voxels, { ...config, into: into.data as Uint32Array })
      const box: LabelBox = { labels, ...blockBox(input, block) }
      const row = new Uint32Array(2 * rank * faceLength)
      for (let axis = 0; axis < rank; axis++) {
        for (const end of ENDS) {
          const start = faceStart(axis, end, faceLength)
          row[start] = count
          row.set(faceOf(box, input.channelAxes + axis, end).labels, start + 1)
        }
      }
      await writeRow(faces, block.index, row, signal)
    }
  },
})

/** Where a face starts in its block's row: with the number of components in the block. */
const faceStart = (axis: number, end: End, faceLength: number): number => (2 * axis + ENDS.indexOf(end)) * faceLength

export const labelPairs = defineTask({
  name: 'label-pairs',
  config: labelConfig,
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const { options, maxPairs } = layoutOf(config, input)
    const { blockCount } = createBlockGrid(options)
    await arrays.create(partsOf(config).pairs, rowsArray('uint32', blockCount, 2 + 3 * maxPairs, 4096))
    // A block reads the faces of its neighbours, so it waits for them.
    const { voxelSize } = input
    const readRoi = growRoi(options.readRoi, voxelSize, voxelSize)
    return { ...options, readRoi, totalRoi: growRoi(options.totalRoi, voxelSize, voxelSize), memory: 12 * maxPairs }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const faces = await arrays.open(partsOf(config).faces)
    const pairs = await arrays.open(partsOf(config).pairs, { mode: 'r+' })
    const { options, rank, faceLength } = layoutOf(config, input)
    const grid = createBlockGrid(options)
    const neighbours = neighboursIn(grid.shape, config.connectivity)
    const steps = forwardSteps(rank, config.connectivity).flatMap((step) => [step, step.map((by) => -by)])
    const channels = input.shape.slice(0, input.channelAxes)
    const readFace = async (index: number, axis: number, end: End, signal: AbortSignal) => {
      const box = faceBox(blockBox(input, grid.block(index)), input.channelAxes + axis, end)
      const length = Number(countElements(box.shape))
      const row = await readRow(faces, index, faceStart(axis, end, faceLength), 1 + length, signal)
      return { count: row[0] as number, face: { ...box, labels: row.subarray(1) as Uint32Array } }
    }
    return async (block, { signal }) => {
      const own = await Promise.all(grid.shape.map((_, axis) => readFace(block.index, axis, 'upper', signal)))
      const forest = new Forest()
      for (const [code, neighbour] of neighbours.entries()) {
        const index = neighbour.of(block.index)
        if (index === undefined) continue
        // The first axis on which the two blocks differ; there this block comes before the other one.
        const axis = neighbour.direction.indexOf(1)
        const { face } = await readFace(index, axis, 'lower', signal)
        for (const step of steps.filter((candidate) => candidate[axis] === 1)) {
          visitTouching((own[axis] as (typeof own)[number]).face, face, [...channels.map(() => 0), ...step], (a, b) =>
            forest.join(a, code, b),
          )
        }
      }
      const { count } = own[0] as (typeof own)[number]
      const row = new Uint32Array(2 + forest.pairs.length)
      row.set([count, forest.pairs.length / 3])
      row.set(forest.pairs, 2)
      await writeRow(pairs, block.index, row, signal)
    }
  },
})

export const labelMerge = defineTask({
  name: 'label-merge',
  config: labelConfig,
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const { options, maxComponents } = layoutOf(config, input)
    const { blockCount } = createBlockGrid(options)
    // The last row contains the total number of components.
    await arrays.create(partsOf(config).numbers, rowsArray('uint64', blockCount + 1, maxComponents, 16_384))
    // Its memory depends on the number of components, which nobody knows yet.
    return { ...options, readRoi: input.roi, writeRoi: input.roi, memory: 0 }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const pairs = await arrays.open(partsOf(config).pairs)
    const numbers = await arrays.open(partsOf(config).numbers, { mode: 'r+' })
    const grid = createBlockGrid(layoutOf(config, input).options)
    const neighbours = neighboursIn(grid.shape, config.connectivity)
    return async (_, { signal }) => {
      const rows = await readPairs(pairs, grid.blockCount, signal)
      /** For each block, the number of components in the blocks before it. */
      const before = new Float64Array(grid.blockCount + 1)
      for (const [index, [count]] of rows.entries()) before[index + 1] = (before[index] as number) + (count as number)
      const member = (index: number, label: number) => (before[index] as number) + label - 1
      const sets = new DisjointSets(before[grid.blockCount])
      for (const [index, row] of rows.entries()) {
        for (let at = 2; at < row.length; at += 3) {
          const [mine, code, other] = row.subarray(at, at + 3) as unknown as [number, number, number]
          const neighbour = (neighbours[code] as Neighbour).of(index) as number
          sets.unite(member(index, mine), member(neighbour, other))
        }
      }
      const found = sets.numberSets()
      for (const [index] of rows.entries()) {
        const table = found.numbers.subarray(before[index], before[index + 1])
        await writeRow(numbers, index, BigUint64Array.from(table, BigInt), signal)
      }
      await writeRow(numbers, grid.blockCount, BigUint64Array.of(BigInt(found.count)), signal)
    }
  },
})

export const labelWrite = defineTask({
  name: 'label',
  config: labelConfig,
  async plan(config, { arrays }) {
    const input = await arrays.open(config.input)
    const { options, voxels, rank, faceLength, maxComponents } = layoutOf(config, input)
    const { blockCount } = createBlockGrid(options)
    const wanted = defaultChunk(tiledShape(input))
    const channels = input.shape.slice(0, input.channelAxes)
    const chunkShape = [
      ...channels.map(() => 1),
      ...voxels.map((side, axis) => chunkWithin(side, wanted[axis] as number)),
    ]
    const output = await arrays.create(config.output, { like: input, dtype: 'uint64', fillValue: 0n, chunkShape })
    // The runs, a copy of them that waits for the numbers, and the result, a uint64. Few masks have as many runs as there can be.
    const memory =
      bytesOf(input, voxels) + (RUN_BYTES_PER_VOXEL + 10) * maxComponents + keptFaces(blockCount, 2 * rank * faceLength)
    return { ...options, writes: [output], memory }
  },
  async setup(config, { arrays }) {
    const input = await arrays.open(config.input)
    const numbers = await arrays.open(partsOf(config).numbers)
    const output = await arrays.open(config.output, { mode: 'r+' })
    const scratch = new Scratch()
    return async (block, { signal }) => {
      using voxels = await scratch.read(input, block.readRoi, signal)
      const found = findComponents(voxels, config)
      using written = scratch.take('uint64', voxels.data.length)
      const table =
        found.count > 0 ? await readRow(numbers, block.index, 0, found.count, signal) : new BigUint64Array(0)
      numberComponents(found, table as BigUint64Array, written.data as BigUint64Array)
      await output.write(block.writeRoi, written.data, { signal })
    }
  },
})

/**
 * Labels the connected components of the nonzero voxels of a volume: 1, 2, … over the complete volume, independent of the order
 * in which blocks are processed. Each channel is labelled separately.
 * @returns four tasks; the last one writes the output
 * @see scipy.ndimage `label`
 */
export function label(config: LabelConfig, { id = 'label', after = [] }: NodeOptions = {}): TaskNode[] {
  const blocks = labelBlocks(config, { id: `${id}-blocks`, after })
  const pairs = labelPairs(config, { id: `${id}-pairs`, after: [blocks] })
  const merge = labelMerge(config, { id: `${id}-merge`, after: [pairs] })
  return [blocks, pairs, merge, labelWrite(config, { id, after: [merge] })]
}

export default label

/** The number of components that a run has found. @param output as given to {@link label} */
export async function countLabels(output: string): Promise<bigint> {
  await using numbers = await openArray(partsOf({ output }).numbers)
  const { data } = await numbers.read({ offset: [(numbers.shape[0] as number) - 1, 0], shape: [1, 1] })
  return data[0] as bigint
}
