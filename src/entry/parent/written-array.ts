import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, coordinate, showCoordinate } from '../../core/geometry/coordinate.ts'
import { axesOfPlacement } from '../../core/geometry/placement.ts'
import { fromVoxels, shiftRoi } from '../../core/geometry/roi.ts'
import type { VolumeDescription } from '../../runtime/volumes/volume-array.ts'
import type { TaskSpec } from './parent-messages.ts'

/**
 * An array that a task writes, in the place that the functions of the task take it to be in: they turn Rois into voxels by the voxel size
 * and the offset of the task. What the file says counts; the task says what the file does not.
 * @throws ConfigError `UNSUPPORTED`; `INVALID_CONFIG` if the two contradict each other: blocks would write other voxels, and other chunks,
 * than those that are checked
 */
export function writtenArray(task: TaskSpec, array: VolumeDescription): VolumeDescription {
  if (array.unit !== 'nm') {
    throw new ConfigError(
      'UNSUPPORTED',
      `Task "${task.id}": the voxel size of ${array.path} is not a whole number of nm, in which its Rois are; leave it out of writes.`,
    )
  }
  const tiled = array.axes.slice(array.channelAxes)
  // Another number of axes is refused with the Rois.
  if (task.writeRoi.shape.length !== tiled.length) return array
  const voxelSize = agreed(
    task,
    array,
    'voxelSize',
    tiled.map(({ scale }) => scale !== undefined),
  )
  const offset = agreed(
    task,
    array,
    'offset',
    tiled.map(({ translation }) => translation !== undefined),
  )
  const shape = array.shape.slice(array.channelAxes) as Coordinate<'voxel'>
  const placement = { channelAxes: array.channelAxes, voxelSize, offset, unit: array.unit }
  const names = array.axes.map(({ name }) => name)
  const roi = shiftRoi(fromVoxels({ offset: shape.map(() => 0), shape }, voxelSize), offset)
  return { ...array, ...placement, axes: axesOfPlacement(placement, names, array.axes), roi }
}

/** @param isStored for each axis whether the file says it */
function agreed(
  task: TaskSpec,
  array: VolumeDescription,
  what: 'voxelSize' | 'offset',
  isStored: readonly boolean[],
): Coordinate {
  const stored = array[what]
  const given = task[what] ?? stored
  if (given.length !== stored.length) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `Task "${task.id}": ${what} ${given.join(', ')}: expected ${stored.length} numbers, one per axis of ${array.path} without its channels.`,
    )
  }
  if (!given.some((value, axis) => isStored[axis] && value !== stored[axis])) return coordinate(given)
  throw new ConfigError(
    'INVALID_CONFIG',
    `Task "${task.id}": ${what} ${showCoordinate(coordinate(given))} nm: expected ${showCoordinate(stored)} nm, as the metadata of ${array.path} say, since its blocks would write other voxels than those that are checked; give ${what} as it is there, or correct the metadata.`,
  )
}
