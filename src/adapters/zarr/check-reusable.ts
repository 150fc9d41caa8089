import { ConfigError } from '../../core/errors.ts'
import { equalCoordinates, showCoordinate } from '../../core/geometry/coordinate.ts'
import { placeAxes } from '../../core/geometry/placement.ts'
import type { ArrayAxis, ArrayDescription, CreateArrayOptions } from '../../ports/chunked-array.ts'
import { makeFillValue } from './metadata/fill-value.ts'

/**
 * Checks that an existing array is what `options` asks for. Options that are not given (chunks, shards, fill value, placement)
 * may have any value.
 * @throws ConfigError `DATASET_EXISTS`, naming what differs
 */
export function checkReusable(existing: ArrayDescription, options: CreateArrayOptions): void {
  const differences: string[] = []
  const differ = (what: string, is: string, wanted: string) => differences.push(`its ${what} is ${is}, not ${wanted}`)
  const compareShapes = (what: string, is: readonly number[] | undefined, wanted: readonly number[] | undefined) => {
    if (wanted !== undefined && !equalCoordinates(is ?? [], wanted)) {
      differ(what, is === undefined ? 'none' : showCoordinate(is), showCoordinate(wanted))
    }
  }
  if (!hasToGrow(existing, options)) compareShapes('shape', existing.shape, options.shape)
  if (existing.dtype !== options.dtype) differ('dtype', existing.dtype, options.dtype)
  compareShapes('chunk shape', existing.chunkShape, options.chunkShape)
  // A chunk shape without a shard shape asks for no shards.
  if (options.chunkShape !== undefined && options.shardShape === undefined && existing.shardShape !== undefined) {
    differ('shard shape', showCoordinate(existing.shardShape), 'none')
  }
  compareShapes('shard shape', existing.shardShape, options.shardShape)
  const fill = options.fillValue === undefined ? undefined : makeFillValue(options.dtype, options.fillValue).value
  // Fill values of two dtypes can't be compared: 0 and 0n.
  if (existing.dtype === options.dtype && fill !== undefined && !Object.is(fill, existing.fillValue))
    differ('fill value', `${existing.fillValue}`, `${fill}`)
  // Other formats have no versions to choose from.
  const isVersioned = options.zarrFormat !== undefined && existing.format.startsWith('zarr')
  const format = isVersioned ? `zarr${options.zarrFormat}` : existing.format
  if (format !== existing.format) differ('format', existing.format, format)
  if (options.axes?.length === existing.shape.length) {
    const [is, wanted] = [existing.axes, options.axes].map(showPlacement) as [string, string]
    if (is !== wanted) differ('placement', is, wanted)
  }
  if (differences.length === 0) return
  throw new ConfigError(
    'DATASET_EXISTS',
    `${existing.path} already exists, and ${differences.join(', ')}; ${howToGrow(existing, options, differences)}overwrite it (--overwrite) or choose another name.`,
  )
}

function howToGrow(existing: ArrayDescription, options: CreateArrayOptions, differences: readonly string[]): string {
  if (options.ifExists === 'grow') {
    const isOther = differences.every((difference) => /^its (shape|placement) /.test(difference))
    return isOther ? 'an array grows at its ends only: write a region that starts where it does and contains it, ' : ''
  }
  const isSmaller = differences.length === 1 && isPartOf(existing.shape, options.shape)
  return isSmaller ? 'continue it with the larger volume (--grow), ' : ''
}

/** Whether an array that exists is opened only if it is as wanted. */
export const isReused = ({ ifExists }: CreateArrayOptions): boolean => ifExists === 'reuse' || ifExists === 'grow'

/** Whether an array that is reused has to be made larger. */
export const hasToGrow = (existing: ArrayDescription, { ifExists, shape }: CreateArrayOptions): boolean =>
  ifExists === 'grow' && isPartOf(existing.shape, shape)

/** Whether a shape is another one, but longer along no axis. */
const isPartOf = (shape: readonly number[], whole: readonly number[]): boolean =>
  shape.length === whole.length &&
  !equalCoordinates(shape, whole) &&
  shape.every((length, axis) => length <= (whole[axis] as number))

function showPlacement(axes: readonly ArrayAxis[]): string {
  const { voxelSize, offset, unit } = placeAxes(axes, 'fm')
  const inNm = (values: readonly number[]) =>
    showCoordinate(values.map((value) => Number(`${value}e${unit === 'fm' ? -6 : 0}`)))
  return `voxel size ${inNm(voxelSize)} nm at ${inNm(offset)} nm`
}
