import { type DType, isBigDType, type Scalar } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import { assertSameRank, showCoordinate } from '../../../core/geometry/coordinate.ts'
import type { ArrayAxis, CreateArrayOptions } from '../../../ports/chunked-array.ts'
import { defaultChunkShape } from '../chunks/default-chunk-shape.ts'
import { type Compressor, parseCodecName, toV3Config } from '../codecs/registry.ts'
import { type JsonObject, stringifyJson, withSources } from './exact-json.ts'
import { makeFillValue } from './fill-value.ts'
import { range, type ZarrMetadata } from './metadata.ts'
import { placementAttributes } from './placement-attributes.ts'

/** The axes of a new array. @throws ConfigError `RANK_MISMATCH` */
export function axesFor({ shape, axes }: CreateArrayOptions, path: string): readonly ArrayAxis[] {
  if (axes === undefined) return shape.map((_, i) => ({ name: `d${i}`, type: 'space' }))
  assertSameRank(
    axes.map((axis) => axis.name),
    shape,
    `axes and shape of ${path}`,
  )
  return axes
}

/** @throws ConfigError `INVALID_CONFIG`, `UNSUPPORTED_CODEC` */
export function newMetadata(
  path: string,
  zarrFormat: 2 | 3,
  axes: readonly ArrayAxis[],
  options: CreateArrayOptions,
): ZarrMetadata {
  const { shape, dtype, codec = 'zstd:3', shardShape } = options
  checkLengths(path, 'shape', shape, shape.length, 0)
  const chunkShape = options.chunkShape ?? chunkInShard(defaultChunkShape(shape, dtype, axes), shardShape)
  checkLengths(path, 'chunk shape', chunkShape, shape.length, 1)
  if (shardShape !== undefined) checkShard(path, shardShape, chunkShape)
  const compressor = parseCodecName(codec, dtype)
  if (zarrFormat === 3 && compressor !== undefined) toV3Config(compressor)
  const compressors: readonly Compressor[] = compressor === undefined ? [] : [compressor]
  return {
    zarrFormat,
    shape,
    dtype,
    chunk: { dtype, shape: chunkShape, axisOrder: range(shape.length), bigEndian: false, compressors },
    ...(shardShape === undefined
      ? {}
      : { shard: { shape: shardShape, indexLocation: 'end', indexHasChecksum: true, compressors: [] } }),
    fill: makeFillValue(dtype, options.fillValue ?? zeroOf(dtype)),
    keyPrefix: zarrFormat === 3 ? 'c' : '',
    separator: '/',
    ...(zarrFormat === 3 ? { dimensionNames: axes.map((axis) => axis.name) } : {}),
    attributes: { ...jsonAttributes(path, options.attributes), ...placementAttributes(axes, zarrFormat) },
  }
}

const zeroOf = (dtype: DType): Scalar => (isBigDType(dtype) ? 0n : 0)

function checkLengths(path: string, what: string, value: readonly number[], rank: number, least: number): void {
  if (value.length === rank && value.every((length) => Number.isSafeInteger(length) && length >= least)) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path}: the ${what} is ${showCoordinate(value)}; expected ${rank} integers of at least ${least}.`,
  )
}

function checkShard(path: string, shard: readonly number[], chunk: readonly number[]): void {
  checkLengths(path, 'shard shape', shard, chunk.length, 1)
  if (shard.every((length, axis) => length % (chunk[axis] as number) === 0)) return
  const near = shard.map(
    (length, axis) => Math.max(1, Math.round(length / (chunk[axis] as number))) * (chunk[axis] as number),
  )
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path}: the shard shape ${showCoordinate(shard)} is not a multiple of the chunk shape ${showCoordinate(chunk)}; the nearest one is ${showCoordinate(near)}.`,
  )
}

/** The default chunk, adjusted to divide a shard that was given without a chunk shape. */
function chunkInShard(chunk: readonly number[], shard: readonly number[] | undefined): readonly number[] {
  if (shard?.length !== chunk.length || !shard.every((length) => Number.isSafeInteger(length) && length > 0))
    return chunk
  return chunk.map((length, axis) => {
    const whole = shard[axis] as number
    for (let divisor = Math.min(length, whole); divisor > 1; divisor--) if (whole % divisor === 0) return divisor
    return 1
  })
}

function jsonAttributes(path: string, attributes: Readonly<Record<string, unknown>> = {}): JsonObject {
  try {
    stringifyJson(attributes as JsonObject)
    return withSources(attributes as JsonObject)
  } catch (error) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${path}: its attributes can't be written as JSON: ${(error as Error).message}.`,
      {
        cause: error,
      },
    )
  }
}
