import { ConfigError } from '../errors.ts'

declare const unit: unique symbol

/** What a number counts: world units (nm, or a finer one; see units.ts), voxels, or blocks of a grid. */
export type Unit = 'world' | 'voxel' | 'block'

/** n safe integers, one per axis, slowest axis first (z, y, x). A plain array; the unit is in the type alone. */
export type Coordinate<U extends Unit = 'world'> = readonly number[] & { readonly [unit]?: U }

/** A coordinate from its numbers. @throws ConfigError `INVALID_COORDINATE` for what is not a safe integer */
export function coordinate<U extends Unit = 'world'>(values: readonly number[]): Coordinate<U> {
  return combine(values, values, (value) => value)
}

/** @throws ConfigError `RANK_MISMATCH` when two coordinates have not the same number of axes */
export function assertSameRank(a: readonly unknown[], b: readonly unknown[], what = 'coordinates'): void {
  if (a.length !== b.length) {
    throw new ConfigError(
      'RANK_MISMATCH',
      `These ${what} have ${a.length} and ${b.length} axes: (${a.join(', ')}) and (${b.join(', ')}); they need the same number.`,
    )
  }
}

/**
 * Element-wise arithmetic; the one place that compares ranks, refuses what is not a safe integer, and turns -0 into 0.
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
        `Coordinates are whole numbers below 2^53, but axis ${axis} of (${a.join(', ')}) and (${b.join(', ')}) gives ${value}.`,
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

/** The smaller one on each axis. @throws ConfigError `RANK_MISMATCH` */
export const minCoordinates = <U extends Unit>(a: Coordinate<U>, b: Coordinate<U>): Coordinate<U> =>
  combine(a, b, Math.min)

/** The larger one on each axis. @throws ConfigError `RANK_MISMATCH` */
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

/** Whether two have the same numbers, and as many of them. */
export const equalCoordinates = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, axis) => value === b[axis])

/** How many elements a box of this shape has; `bigint`, since voxel counts can pass 2^53. */
export const countElements = (shape: readonly number[]): bigint =>
  shape.reduce((product, length) => product * BigInt(length), 1n)

/** A coordinate as people read it: `(20, 256, 384)`. */
export const showCoordinate = (value: readonly number[]): string => `(${value.join(', ')})`
