import { ConfigError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { fromVoxels, intersectRoi, isEmptyRoi, type Roi, shiftRoi, snapRoi, toVoxels } from '../../core/geometry/roi.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { MaskedBlocks } from '../../core/grid/masked-blocks.ts'
import type { VolumeArray, VolumeDescription } from '../volumes/volume-array.ts'

/** A volume whose voxels that are not 0 say where a task has something to do. */
export type MaskVolume = VolumeDescription & Pick<VolumeArray, 'read'>

/** About as many voxels are read at once. */
const TILE_VOXELS = 2 ** 24

/**
 * The blocks of a task that write nothing inside a mask: what lies beyond the mask's volume is outside.
 * @returns bit i % 8 (lowest first) of byte floor(i / 8) is block i
 * @throws ConfigError `RANK_MISMATCH`
 */
export async function findMaskedBlocks(taskId: string, grid: BlockGrid, mask: MaskVolume): Promise<Uint8Array> {
  const rank = mask.voxelSize.length
  if (rank !== grid.shape.length || mask.channelAxes > 0) {
    const channels = mask.channelAxes > 0 ? ` and ${mask.channelAxes} of channels` : ''
    throw new ConfigError(
      'RANK_MISMATCH',
      `Task "${taskId}": its mask ${mask.path} has ${rank} axes${channels}, its blocks have ${grid.shape.length}; use a mask with the axes of the blocks.`,
    )
  }
  const blocks = new MaskedBlocks(grid)
  const region = intersectRoi(snapRoi(intersectRoi(blocks.written, mask.roi), mask.voxelSize, 'grow'), mask.roi)
  if (isEmptyRoi(region)) return blocks.bits
  for (const tile of tilesOf(region, mask)) {
    if (blocks.isOpen(tile)) blocks.add(await mask.read(tile))
  }
  return blocks.bits
}

/** The parts of a region of a volume that are read one by one: whole chunks, as many as are not too large together. */
function* tilesOf(region: Roi, { offset, voxelSize, shardShape, chunkShape }: MaskVolume): Generator<Roi> {
  const stored = shardShape ?? chunkShape
  const step = [...stored]
  // Rows of chunks along the last axes first.
  for (let axis = step.length - 1; axis >= 0; axis--) {
    const most = Math.max(1, Math.floor(TILE_VOXELS / productOf(step)))
    step[axis] = (step[axis] as number) * most
  }
  const minus = offset.map((value) => -value)
  const { offset: first, shape } = toVoxels(shiftRoi(region, minus), voxelSize)
  const starts = first.map((from, axis) => {
    const by = step[axis] as number
    const end = from + (shape[axis] as number)
    const places: number[] = []
    for (let at = Math.floor(from / by) * by; at < end; at += by) places.push(at)
    return places
  })
  const places = starts.reduce<number[][]>(
    (all, along) => all.flatMap((before) => along.map((at) => [...before, at])),
    [[]],
  )
  for (const place of places) {
    const tile = shiftRoi(fromVoxels({ offset: place, shape: step }, voxelSize), offset)
    yield intersectRoi(tile, region)
  }
}
