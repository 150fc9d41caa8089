import { ConfigError } from '../errors.ts'
import type { Coordinate } from './coordinate.ts'
import { type Decimal, exactInteger, parseDecimal, roundedInteger } from './decimal.ts'
import { type Roi, roi } from './roi.ts'
import { METRE_EXPONENT, toNanometers, type WorldUnit } from './world-unit.ts'

/** The voxel grid with which a Roi has to be aligned. */
interface VoxelGrid {
  readonly voxelSize: Coordinate
  readonly offset: Coordinate
  /** What its voxels fill; only Rois in voxels need it. */
  readonly roi?: Roi
}

/**
 * Parses a Roi as users write it: in nm with decimals if necessary, `offset:shape`, `0,0,0:1000,471.04,471.04`; or, for two or more
 * axes, in voxels as a slice of NumPy, `0:20,100:200,-50:`.
 * @returns integers of `unit`
 * @throws ConfigError `INVALID_ROI`; `NOT_VOXEL_ALIGNED`, naming the nearest Roi that consists of whole voxels of `grid`
 */
export function parseRoi(text: string, unit: WorldUnit, grid: VoxelGrid): Roi {
  if (isSlice(text)) return parseSlice(text, grid)
  const parts = text.split(':').map((part) => part.split(','))
  const [offsetTexts, shapeTexts] = parts
  const rank = grid.voxelSize.length
  if (parts.length !== 2 || offsetTexts?.length !== rank || shapeTexts?.length !== rank) {
    throw new ConfigError(
      'INVALID_ROI',
      `"${text}" is not a Roi of ${rank} axes; write offset:shape in nm, such as ${exampleRoi(rank)}, or voxels, such as ${exampleSlice(rank)}.`,
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

const SLICE = /^\s*([+-]?\d+)?\s*:\s*([+-]?\d+)?\s*$/

/** Whether a Roi is written in voxels. With one axis, `0:1000` is an offset and a shape in nm. */
export const isSlice = (text: string): boolean =>
  text.includes(',') && text.split(',').every((part) => SLICE.test(part))

/** Like NumPy's, but an end beyond the array stays there, so that it can be refused. */
function parseSlice(text: string, { voxelSize, offset, roi: whole }: VoxelGrid): Roi {
  const parts = text.split(',')
  if (whole === undefined || parts.length !== voxelSize.length) {
    throw new ConfigError(
      'INVALID_ROI',
      `"${text}" is not a Roi of ${voxelSize.length} axes; write voxels, such as ${exampleSlice(voxelSize.length)}, or offset:shape in nm, such as ${exampleRoi(voxelSize.length)}.`,
    )
  }
  const ends = parts.map((part, axis) => {
    const length = (whole.shape[axis] as number) / (voxelSize[axis] as number)
    const [, start = '0', stop = String(length)] = SLICE.exec(part) ?? []
    const [first, last] = [start, stop].map(Number).map((at) => (at < 0 ? at + length : at)) as [number, number]
    if (Number.isSafeInteger(first) && Number.isSafeInteger(last) && first < last) return { first, last }
    throw new ConfigError(
      'INVALID_ROI',
      `"${part.trim()}" in the Roi "${text}" is empty on an axis of ${length} voxels; expected start:stop with a stop after the start.`,
    )
  })
  const size = (axis: number) => voxelSize[axis] as number
  return roi(
    ends.map(({ first }, axis) => (offset[axis] as number) + first * size(axis)),
    ends.map(({ first, last }, axis) => (last - first) * size(axis)),
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

const exampleSlice = (rank: number): string => Array(rank).fill('0:100').join(',')

/** A Roi for users, in nm: `0,0,0:1000,471.04,471.04`. */
export const showRoiInNm = (region: Roi, unit: WorldUnit): string =>
  [region.offset, region.shape].map((part) => part.map((value) => toNanometers(value, unit)).join(',')).join(':')
