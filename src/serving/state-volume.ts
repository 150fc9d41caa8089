import { fillStateChunk } from '../core/board/state-chunk.ts'
import type { WorldUnit } from '../core/geometry/world-unit.ts'
import type { BlockGrid } from '../core/grid/block-grid.ts'
import type { ResourceTree } from '../ports/resource.ts'
import { placedGroup, UNITS } from './placed-group.ts'
import { jsonResource, memoryResource } from './virtual-zarr.ts'

const LONGEST_CHUNK = 64

/** Chunk shape of a volume of block states, blocks per axis. */
export const stateChunkShape = ({ shape }: Pick<BlockGrid, 'shape'>): number[] =>
  shape.map((length) => Math.min(length, LONGEST_CHUNK))

export interface StateVolumeOptions {
  readonly grid: BlockGrid
  /** The unit of its Rois. */
  readonly unit: WorldUnit
  /** One name per axis of the grid. */
  readonly axisNames: readonly string[]
  /** The current state of each block, by index. */
  codes(): Uint8Array
}

/**
 * The states of a task's blocks as a Zarr group with one array: one voxel per block, with the size and position of what the block writes.
 * Chunks are created on request.
 */
export function stateVolume({ grid, unit, axisNames, codes }: StateVolumeOptions): ResourceTree {
  const shape: readonly number[] = grid.shape
  const chunkShape = stateChunkShape(grid)
  const metadata = jsonResource({
    zarr_format: 3,
    node_type: 'array',
    shape,
    data_type: 'uint8',
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
    chunk_key_encoding: { name: 'v2', configuration: { separator: '.' } },
    fill_value: 0,
    codecs: [{ name: 'bytes', configuration: { endian: 'little' } }],
    attributes: {},
  })
  const files: ResourceTree = {
    async open([name = '', ...rest]) {
      if (rest.length > 0) return undefined
      if (name === 'zarr.json') return metadata
      const index = name.split('.').map((part) => (/^(0|[1-9]\d{0,8})$/.test(part) ? Number(part) : Number.NaN))
      const isThere = index.length === shape.length && index.every((i, axis) => i * chunkShape[axis]! < shape[axis]!)
      if (!isThere) return undefined
      const data = new Uint8Array(chunkShape.reduce((product, length) => product * length, 1))
      fillStateChunk(data, index, codes(), shape, chunkShape)
      return memoryResource(data)
    },
  }
  const array = {
    path: 'states',
    format: 'zarr3',
    shape,
    dtype: 'uint8',
    chunkShape,
    order: 'C',
    codecs: [],
    fillValue: 0,
    attributes: {},
    axes: shape.map((_, axis) => ({
      name: axisNames[axis] as string,
      type: 'space' as const,
      unit: UNITS[unit],
      scale: grid.writeRoi.shape[axis] as number,
      translation: grid.totalWriteRoi.offset[axis] as number,
    })),
  } as const
  return placedGroup([{ array, files }], 3)
}
