import { ConfigError } from '../errors.ts'
import { countElements, showCoordinate } from '../geometry/coordinate.ts'
import { type DType, dtypeOf, holdsDType, type TypedArray } from './dtype.ts'

/**
 * Checks that some memory has the dtype and the number of elements of a box of an array.
 * @param path of the array, for messages
 * @throws ConfigError `DTYPE_MISMATCH`, `SHAPE_MISMATCH`
 */
export function assertVoxels(path: string, dtype: DType, shape: readonly number[], data: TypedArray): void {
  if (!holdsDType(data, dtype)) {
    throw new ConfigError(
      'DTYPE_MISMATCH',
      `${path} is ${dtype}, but the given voxels are ${dtypeOf(data)}, in a ${data.constructor.name}; convert them first.`,
    )
  }
  if (countElements(shape) !== BigInt(data.length)) {
    throw new ConfigError(
      'SHAPE_MISMATCH',
      `${path}: ${data.length} voxels were given; expected ${countElements(shape)} for a box of shape ${showCoordinate(shape)}.`,
    )
  }
}
