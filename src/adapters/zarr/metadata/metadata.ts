import type { DType } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ChunkEncoding } from '../chunks/chunk-codec.ts'
import type { Compressor } from '../codecs/registry.ts'
import { isJsonObject, type Json, type JsonObject, parseJson } from './exact-json.ts'
import type { FillValue } from './fill-value.ts'

/** How the inner chunks of a shard are found. */
export interface ShardSettings {
  readonly shape: readonly number[]
  readonly indexLocation: 'start' | 'end'
  readonly indexHasChecksum: boolean
  /** What is done to the whole shard after it was put together. */
  readonly compressors: readonly Compressor[]
}

/** What the metadata of an array says, whatever its version. */
export interface ZarrMetadata {
  readonly zarrFormat: 2 | 3
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The chunk that is decoded in one piece: the inner one of a shard. */
  readonly chunk: ChunkEncoding
  readonly shard?: ShardSettings
  readonly fill: FillValue
  readonly keyPrefix: '' | 'c'
  readonly separator: '.' | '/'
  /** v3 alone; null where an axis has no name. */
  readonly dimensionNames?: readonly (string | null)[]
  readonly attributes: JsonObject
}

/** The shape of what is one file: the shard where there is one. */
export const storedShape = ({ chunk, shard }: ZarrMetadata): readonly number[] => shard?.shape ?? chunk.shape

/** The name of a chunk's file below the array, as its metadata says. */
export function chunkKey({ keyPrefix, separator }: ZarrMetadata, index: readonly number[]): string {
  if (keyPrefix === 'c') return index.length === 0 ? 'c' : `c${separator}${index.join(separator)}`
  return index.length === 0 ? '0' : index.join(separator)
}

/** @throws ConfigError `INVALID_METADATA` for what is not a JSON object */
export function parseJsonObject(bytes: Uint8Array, where: string): JsonObject {
  let value: Json
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (error) {
    throw new ConfigError('INVALID_METADATA', `${where} is not JSON: ${(error as Error).message}.`, { cause: error })
  }
  if (isJsonObject(value)) return value
  throw new ConfigError('INVALID_METADATA', `${where} is not a JSON object.`)
}

/** A list of whole numbers, each at least `least`. @throws ConfigError `INVALID_METADATA` */
export function parseShape(value: Json | undefined, rank: number | undefined, least: number, what: string): number[] {
  const isRight =
    Array.isArray(value) &&
    (rank === undefined || value.length === rank) &&
    value.every((length) => typeof length === 'number' && Number.isSafeInteger(length) && length >= least)
  if (isRight) return [...(value as number[])]
  const wanted = `${rank ?? 'some'} whole numbers from ${least} up`
  throw new ConfigError('INVALID_METADATA', `${what} is ${show(value)}, where ${wanted} are right.`)
}

export const show = (value: Json | undefined): string =>
  JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item)) ?? 'missing'

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i)
