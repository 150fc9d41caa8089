import { ConfigError } from '../errors.ts'
import { countElements, showCoordinate } from '../geometry/coordinate.ts'
import { type DType, dtypeOf, holdsDType, type TypedArray } from './dtype.ts'

/**
 * Whether some memory can hold a box of an array, or be written as one.
 * @param path the array's, for messages
 * @throws ConfigError `DTYPE_MISMATCH`, `SHAPE_MISMATCH`
 */
export function assertVoxels(path: string, dtype: DType, shape: readonly number[], data: TypedArray): void {
  if (!holdsDType(data, dtype)) {
    throw new ConfigError(
      'DTYPE_MISMATCH',
      `${path} holds ${dtype}, but the voxels given are ${dtypeOf(data)}, in a ${data.constructor.name}; convert them first.`,
    )
  }
  if (countElements(shape) !== BigInt(data.length)) {
    throw new ConfigError(
      'SHAPE_MISMATCH',
      `${path}: ${data.length} voxels were given for a box of shape ${showCoordinate(shape)}, which has ${countElements(shape)} voxels.`,
    )
  }
}
