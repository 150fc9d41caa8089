import { ConfigError } from '../errors.ts'
import type { Coordinate } from './coordinate.ts'
import { type Decimal, exactInteger, parseDecimal, roundedInteger } from './decimal.ts'
import { type Roi, roi } from './roi.ts'
import { METRE_EXPONENT, toNanometers, type WorldUnit } from './world-unit.ts'

/** The voxel grid with which a Roi has to be aligned. */
interface VoxelGrid {
  readonly voxelSize: Coordinate
  readonly offset: Coordinate
}

/**
 * Parses a Roi as users write it, in nm with decimals if necessary: `offset:shape`, `0,0,0:1000,471.04,471.04`.
 * @returns integers of `unit`
 * @throws ConfigError `INVALID_ROI`; `NOT_VOXEL_ALIGNED`, naming the nearest Roi that consists of whole voxels of `grid`
 */
export function parseRoi(text: string, unit: WorldUnit, grid: VoxelGrid): Roi {
  const parts = text.split(':').map((part) => part.split(','))
  const [offsetTexts, shapeTexts] = parts
  const rank = grid.voxelSize.length
  if (parts.length !== 2 || offsetTexts?.length !== rank || shapeTexts?.length !== rank) {
    throw new ConfigError(
      'INVALID_ROI',
      `"${text}" is not a Roi of ${rank} axes; write offset:shape in nm, such as ${exampleRoi(rank)}.`,
    )
  }
  const read = (value: string): Decimal => {
    try {
      return parseDecimal(value)
    } catch {
      throw new ConfigError(
        'INVALID_ROI',
        `"${value}" in the Roi "${text}" is not a number; write offset:shape in nm, such as ${exampleRoi(rank)}.`,
      )
    }
  }
  const shift = METRE_EXPONENT.nm - METRE_EXPONENT[unit]
  const offset = offsetTexts.map((value, axis) => onVoxels(read(value), shift, grid, axis, 'offset'))
  const shape = shapeTexts.map((value, axis) => onVoxels(read(value), shift, grid, axis, 'shape'))
  if ([...offset, ...shape].every(({ isExact }) => isExact)) {
    return roi(
      offset.map(({ world }) => world),
      shape.map(({ world }) => world),
    )
  }
  const nearest = [offset, shape].map((values) => values.map(({ world }) => toNanometers(world, unit)).join(','))
  throw new ConfigError(
    'NOT_VOXEL_ALIGNED',
    `The Roi "${text}" is not a whole number of voxels (${grid.voxelSize.map((size) => toNanometers(size, unit)).join(' × ')} nm); the nearest Roi that is: ${nearest.join(':')}.`,
  )
}

/** A value in world units if it lies on the voxels of an axis, otherwise the nearest one that does. */
function onVoxels(value: Decimal, shift: number, grid: VoxelGrid, axis: number, which: 'offset' | 'shape') {
  const size = grid.voxelSize[axis] as number
  const start = which === 'offset' ? (grid.offset[axis] as number) : 0
  const exact = exactInteger(value, shift)
  if (exact !== undefined && (Number(exact) - start) % size === 0) return { world: Number(exact), isExact: true }
  const voxels = Math.round((Number(roundedInteger(value, shift)) - start) / size)
  return { world: start + (which === 'offset' ? voxels : Math.max(1, voxels)) * size, isExact: false }
}

const exampleRoi = (rank: number): string => `${Array(rank).fill(0).join(',')}:${Array(rank).fill(1000).join(',')}`

/** A Roi for users, in nm: `0,0,0:1000,471.04,471.04`. */
export const showRoiInNm = (region: Roi, unit: WorldUnit): string =>
  [region.offset, region.shape].map((part) => part.map((value) => toNanometers(value, unit)).join(',')).join(':')
