import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, multiplyCoordinates, productOf } from '../../core/geometry/coordinate.ts'
import { intersectRoi, isEmptyRoi, roiFrom, shiftRoi, snapRoi } from '../../core/geometry/roi.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { cellsOf } from '../../core/grid/grid-cells.ts'
import { MaskedBlocks } from '../../core/grid/masked-blocks.ts'
import { unitedBits } from '../../core/scheduling/bitmap.ts'
import { storageVoxels, type VolumeArray, type VolumeDescription } from '../volumes/volume-array.ts'
import type { TaskPlan } from './task-options.ts'

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
  const inside = intersectRoi(blocks.written, mask.roi)
  if (isEmptyRoi(inside)) return blocks.bits
  const region = shiftRoi(snapRoi(roiFrom(inside, mask.offset), mask.voxelSize, 'grow'), mask.offset)
  for (const cell of cellsOf(region, mask.offset, tileShape(mask))) {
    const tile = intersectRoi(cell, region)
    if (blocks.isOpen(tile)) blocks.add(await mask.read(tile))
  }
  return blocks.bits
}

/**
 * The blocks of a task that are not run: those outside of its mask, or that of the run, and those that its plan names.
 * @returns undefined if all are run
 * @throws ConfigError `RANK_MISMATCH`, `INVALID_TASK`
 */
export async function maskedBlocks(
  taskId: string,
  grid: BlockGrid,
  { mask, masked }: { readonly [Name in 'mask' | 'masked']: TaskPlan[Name] | undefined },
): Promise<Uint8Array | undefined> {
  const bytes = Math.ceil(grid.blockCount / 8)
  if (masked !== undefined && masked.length !== bytes) {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${taskId}": masked has ${masked.length} bytes; expected ${bytes}, one bit for each of its ${grid.blockCount} blocks.`,
    )
  }
  const outside = mask === undefined ? undefined : await findMaskedBlocks(taskId, grid, mask)
  return outside === undefined || masked === undefined ? (outside ?? masked) : unitedBits(outside, masked)
}

/** What is read at once of a volume, in world units: whole chunks, as many as are not too large together. */
function tileShape(mask: MaskVolume): Coordinate {
  const voxels = [...storageVoxels(mask)]
  // Rows of chunks along the last axes first.
  for (let axis = voxels.length - 1; axis >= 0; axis--) {
    const most = Math.max(1, Math.floor(TILE_VOXELS / productOf(voxels)))
    voxels[axis] = (voxels[axis] as number) * most
  }
  return multiplyCoordinates(mask.voxelSize, voxels)
}
