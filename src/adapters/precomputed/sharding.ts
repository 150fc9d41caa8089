import { ConfigError } from '../../core/errors.ts'
import { type JsonObject, show } from '../zarr/metadata/exact-json.ts'

/** How chunks are spread over shards. https://github.com/google/neuroglancer/blob/master/src/datasource/precomputed/sharded.md */
export interface Sharding {
  readonly preshiftBits: number
  readonly hash: 'identity' | 'murmurhash3_x86_128'
  readonly minishardBits: number
  readonly shardBits: number
  readonly indexIsGzip: boolean
  readonly dataIsGzip: boolean
}

/** Bits of the number of minishards: their index is read in one piece. */
const MOST_MINISHARD_BITS = 20

/** @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED` */
export function parseSharding(json: JsonObject, what: string): Sharding {
  const bits = (field: string) => {
    const value = json[field]
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 64) return value
    throw new ConfigError('INVALID_METADATA', `${what}: ${field} is ${show(value)}; expected an integer from 0 to 64.`)
  }
  const isGzip = (field: string) => {
    const value = json[field] ?? 'raw'
    if (value === 'raw' || value === 'gzip') return value === 'gzip'
    throw new ConfigError('UNSUPPORTED', `${what}: ${field} is ${show(value)}; Bellis reads raw and gzip.`)
  }
  if (json['@type'] !== 'neuroglancer_uint64_sharded_v1') {
    throw new ConfigError('UNSUPPORTED', `${what}: the sharding ${show(json['@type'])} is not supported.`)
  }
  const { hash } = json
  if (hash !== 'identity' && hash !== 'murmurhash3_x86_128') {
    throw new ConfigError(
      'UNSUPPORTED',
      `${what}: the hash ${show(hash)} is not supported; Bellis reads identity and murmurhash3_x86_128.`,
    )
  }
  const minishardBits = bits('minishard_bits')
  if (minishardBits > MOST_MINISHARD_BITS) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${what}: minishard_bits is ${minishardBits}; at most ${MOST_MINISHARD_BITS} are supported.`,
    )
  }
  return {
    ...{ preshiftBits: bits('preshift_bits'), hash, minishardBits, shardBits: bits('shard_bits') },
    indexIsGzip: isGzip('minishard_index_encoding'),
    dataIsGzip: isGzip('data_encoding'),
  }
}

/**
 * The number of a chunk: the bits of its indices, interleaved, x first; an axis gives no more bits than its indices need.
 * @param index z, y, x
 * @param grid chunks along z, y, x
 */
export function mortonCode(index: readonly number[], grid: readonly number[]): bigint {
  let code = 0n
  let bit = 0n
  const most = Math.max(...grid)
  for (let power = 1; power < most; power *= 2) {
    for (let axis = 2; axis >= 0; axis--) {
      if (power >= (grid[axis] as number)) continue
      if (Math.floor((index[axis] as number) / power) % 2 === 1) code |= 1n << bit
      bit++
    }
  }
  return code
}

/** The name of the shard's file that has a chunk, and the number of its minishard. */
export function placeOfChunk(code: bigint, sharding: Sharding): { readonly shard: string; readonly minishard: number } {
  const { preshiftBits, hash, minishardBits, shardBits } = sharding
  const shifted = code >> BigInt(preshiftBits)
  const hashed = hash === 'identity' ? shifted : murmurHash(shifted)
  const mask = (bits: number) => (1n << BigInt(bits)) - 1n
  const minishard = Number(hashed & mask(minishardBits))
  const shard = (hashed >> BigInt(minishardBits)) & mask(shardBits)
  return { shard: `${shard.toString(16).padStart(Math.ceil(shardBits / 4), '0')}.shard`, minishard }
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

function mix(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** The low 64 bits of MurmurHash3_x86_128 of the 8 bytes of a number. */
function murmurHash(value: bigint): bigint {
  const length = 8
  const low = Number(value & 0xffffffffn)
  const high = Number((value >> 32n) & 0xffffffffn)
  let h1 = Math.imul(rotate(Math.imul(low, 0x239b961b), 15), 0xab0e9789)
  let h2 = Math.imul(rotate(Math.imul(high, 0xab0e9789), 16), 0x38b34ae5)
  let [h3, h4] = [0, 0]
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  const spread = () => {
    h1 = (h1 + h2 + h3 + h4) | 0
    h2 = (h2 + h1) | 0
    h3 = (h3 + h1) | 0
    h4 = (h4 + h1) | 0
  }
  spread()
  ;[h1, h2, h3, h4] = [mix(h1), mix(h2), mix(h3), mix(h4)]
  spread()
  return (BigInt(h2 >>> 0) << 32n) | BigInt(h1 >>> 0)
}
