import type { DescribedBoardTask, OutputLayer } from '../../../core/board/summary.ts'
import type { Roi } from '../../../core/geometry/roi.ts'
import { toNanometers } from '../../../core/geometry/world-unit.ts'

/** A region as options of the command line take it: `0,0,0:50,294.4,294.4`. */
export const showRegion = ({ offset, shape }: Roi): string => `${offset.join(',')}:${shape.join(',')}`

/** In nm, whatever the unit of the task. */
export function inNanometers({ offset, shape }: Roi, { unit }: Pick<DescribedBoardTask, 'unit'>): Roi {
  const convert = (values: readonly number[]) => values.map((value) => toNanometers(value, unit))
  return { offset: convert(offset), shape: convert(shape) }
}

/** In voxels of the array that the task writes; undefined if it has another number of axes. */
export function inVoxels({ offset, shape }: Roi, output: OutputLayer | undefined): Roi | undefined {
  if (output === undefined || output.voxelSize.length !== offset.length) return undefined
  const { voxelSize, offset: origin } = output
  const lower = offset.map((at, axis) => Math.floor((at - (origin[axis] as number)) / (voxelSize[axis] as number)))
  const upper = offset.map((at, axis) =>
    Math.ceil((at + (shape[axis] as number) - (origin[axis] as number)) / (voxelSize[axis] as number)),
  )
  return { offset: lower, shape: upper.map((end, axis) => end - (lower[axis] as number)) }
}
