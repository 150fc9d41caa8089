import type { DType } from '../../../core/array/dtype.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ChunkEncoding, ShardSettings } from '../chunks/chunk-encoding.ts'
import type { AxisChunks } from '../chunks/chunk-grid.ts'
import type { Compressor } from '../codecs/registry.ts'
import { isJsonObject, type Json, type JsonObject, parseJson, show } from './exact-json.ts'
import type { FillValue } from './fill-value.ts'

/** The metadata of an array of either version. */
export interface ZarrMetadata {
  readonly zarrFormat: 2 | 3
  readonly shape: readonly number[]
  readonly dtype: DType
  /** The chunk that is decoded in one piece; in a shard, the inner one. */
  readonly chunk: ChunkEncoding
  readonly shard?: ShardSettings
  /** The chunks (or shards) of each axis, if not all are equally long; `chunk` (or `shard`) is then as long as the longest. */
  readonly grid?: readonly AxisChunks[]
  readonly fill: FillValue
  readonly keyPrefix: '' | 'c'
  readonly separator: '.' | '/'
  /** v3 only; null for an axis without a name. */
  readonly dimensionNames?: readonly (string | null)[]
  readonly attributes: JsonObject
}

/** The shape of one file: the shard's if the array has shards. */
export const storedShape = ({ chunk, shard }: ZarrMetadata): readonly number[] => shard?.shape ?? chunk.shape

/** All compressors and filters of an array, those of the innermost chunk first. */
export const compressorsOf = ({ chunk, shard }: Pick<ZarrMetadata, 'chunk' | 'shard'>): readonly Compressor[] => [
  ...(chunk.nested === undefined ? chunk.compressors : compressorsOf(chunk.nested)),
  ...(shard?.compressors ?? []),
]

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

/** A list of integers, each at least `least`. @throws ConfigError `INVALID_METADATA` */
export function parseShape(value: Json | undefined, rank: number | undefined, least: number, what: string): number[] {
  const isValid =
    Array.isArray(value) &&
    (rank === undefined || value.length === rank) &&
    value.every((length) => typeof length === 'number' && Number.isSafeInteger(length) && length >= least)
  if (isValid) return [...(value as number[])]
  const expected = `${rank === undefined ? '' : `${rank} `}integers of at least ${least}`
  throw new ConfigError('INVALID_METADATA', `${what} is ${show(value)}; expected ${expected}.`)
}

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i)

/** As many as no writer chains: each is work for every chunk, and an array could name a million. */
const MAX_CODECS = 32

/** Refuses a chain of codecs or filters that is longer than any writer makes it. @throws {ConfigError} `UNSUPPORTED_CODEC` */
export function checkCodecCount(count: number, where: string): void {
  if (count <= MAX_CODECS) return
  const message = `${where}: chunks are encoded by ${count} codecs and filters one after the other; Bellis reads up to ${MAX_CODECS}.`
  throw new ConfigError('UNSUPPORTED_CODEC', message)
}
