import { ConfigError } from '../core/errors.ts'
import { overridePlacement, type PlacementOverride } from '../core/geometry/placement-override.ts'
import { soundAxes } from '../core/geometry/sound-axes.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'

/** A stored array with a placement that the user gave. @throws ConfigError `RANK_MISMATCH`, `INVALID_UNIT`, `INVALID_CONFIG` */
export function placedArray(array: ChunkedArray, override: PlacementOverride): ChunkedArray {
  const { axes, warnings } = soundAxes(overridePlacement(array.path, array.axes, override))
  // What is wrong with a file is read with a warning, but what the user gives is meant.
  if (warnings.length > 0 && override.unit !== undefined && warnings.some((text) => text.includes(' unit '))) {
    throw new ConfigError('INVALID_UNIT', `${override.unit} is no unit of length; use nm, um or mm.`)
  }
  if (override.voxelSize?.some((size) => !(size > 0))) {
    throw new ConfigError('INVALID_CONFIG', `The voxel size ${override.voxelSize.join(',')}: expected numbers above 0.`)
  }
  const { path, format, shape, dtype, chunkShape, shardShape, order, codecs, fillValue, attributes, writable } = array
  return {
    ...{ path, format, shape, dtype, chunkShape, order, codecs, fillValue, attributes, writable, axes },
    ...(shardShape === undefined ? {} : { shardShape }),
    ...(array.chunksVary ? { chunksVary: true as const } : {}),
    readVoxels: array.readVoxels.bind(array),
    writeVoxels: array.writeVoxels.bind(array),
    ...(array.removeChunks === undefined ? {} : { removeChunks: array.removeChunks.bind(array) }),
    ...(array.setAttributes === undefined ? {} : { setAttributes: array.setAttributes.bind(array) }),
    ...(array.countStoredChunks === undefined ? {} : { countStoredChunks: array.countStoredChunks.bind(array) }),
    [Symbol.asyncDispose]: () => array[Symbol.asyncDispose]() as Promise<void>,
  }
}
