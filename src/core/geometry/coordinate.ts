import { ConfigError } from '../errors.ts'

declare const unit: unique symbol

/** What a number counts: world units (nm, or a finer unit; see `WorldUnit`), voxels, or blocks of a grid. */
export type Unit = 'world' | 'voxel' | 'block'

/** Safe integers, one per axis, slowest axis first (z, y, x). A plain array; the unit exists in the type only. */
export type Coordinate<U extends Unit = 'world'> = readonly number[] & { readonly [unit]?: U }

/** A coordinate from its numbers. @throws ConfigError `INVALID_COORDINATE` for a value that is not a safe integer */
export function coordinate<U extends Unit = 'world'>(values: readonly number[]): Coordinate<U> {
  return combine(values, values, (value) => value)
}

/** @throws ConfigError `RANK_MISMATCH` if two coordinates differ in their number of axes */
export function assertSameRank(a: readonly unknown[], b: readonly unknown[], what = 'coordinates'): void {
  if (a.length !== b.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `These ${what} have ${a.length} and ${b.length} axes: (${a.join(', ')}) and (${b.join(', ')}); expected the same number.`,
    )
  }
}

/**
 * Element-wise arithmetic; the one place that compares ranks, refuses values that are not safe integers, and turns -0 into 0.
 * @throws ConfigError `RANK_MISMATCH`, `INVALID_COORDINATE`
 */
export function combine<U extends Unit>(
  a: readonly number[],
  b: readonly number[],
  operation: (x: number, y: number) => number,
): Coordinate<U> {
  assertSameRank(a, b)
  const result = new Array<number>(a.length)
  for (let axis = 0; axis < a.length; axis++) {
    const value = operation(a[axis] as number, b[axis] as number)
    if (!Number.isSafeInteger(value)) {
      throw new ConfigError(
        'INVALID_COORDINATE',
        `Axis ${axis} of (${a.join(', ')}) and (${b.join(', ')}) gives ${value}; coordinates must be whole numbers below 2^53.`,
      )
    }
    result[axis] = value + 0 // -0 + 0 is 0
  }
  return result as Coordinate<U>
}

/** The sum on each axis. @throws ConfigError `RANK_MISMATCH` */
export const addCoordinates = <U extends Unit>(a: Coordinate<U>, b: Coordinate<U>): Coordinate<U> =>
  combine(a, b, (x, y) => x + y)

/** The difference on each axis. @throws ConfigError `RANK_MISMATCH` */
export const subtractCoordinates = <U extends Unit>(a: Coordinate<U>, b: Coordinate<U>): Coordinate<U> =>
  combine(a, b, (x, y) => x - y)

/** The product on each axis. @throws ConfigError `RANK_MISMATCH` */
export const multiplyCoordinates = <U extends Unit>(a: Coordinate<U>, b: readonly number[]): Coordinate<U> =>
  combine(a, b, (x, y) => x * y)

/** The minimum on each axis. @throws ConfigError `RANK_MISMATCH` */
export const minCoordinates = <U extends Unit>(a: Coordinate<U>, b: Coordinate<U>): Coordinate<U> =>
  combine(a, b, Math.min)

/** The maximum on each axis. @throws ConfigError `RANK_MISMATCH` */
export const maxCoordinates = <U extends Unit>(a: Coordinate<U>, b: Coordinate<U>): Coordinate<U> =>
  combine(a, b, Math.max)

/** Integer division towards minus infinity (offsets may be negative), exact for all safe integers. */
export function floorDivide(dividend: number, divisor: number): number {
  const remainder = dividend % divisor
  return (dividend - remainder) / divisor - (remainder !== 0 && remainder < 0 !== divisor < 0 ? 1 : 0) + 0
}

/** Integer division towards plus infinity, exact for all safe integers. */
export function ceilDivide(dividend: number, divisor: number): number {
  return -floorDivide(-dividend, divisor) + 0
}

/** Whether two coordinates have the same length and the same values. */
export const equalCoordinates = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, axis) => value === b[axis])

/** The number of elements of a box of this shape; `bigint`, since voxel counts can exceed 2^53. */
export const countElements = (shape: readonly number[]): bigint =>
  shape.reduce((product, length) => product * BigInt(length), 1n)

/** The product of some lengths; 1 for none. For a count that can exceed 2^53 see {@link countElements}. */
export const productOf = (lengths: readonly number[]): number =>
  lengths.reduce((product, length) => product * length, 1)

/** A coordinate for users: `(20, 256, 384)`. */
export const showCoordinate = (value: readonly number[]): string => `(${value.join(', ')})`
