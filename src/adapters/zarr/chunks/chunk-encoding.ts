import type { DType } from '../../../core/array/dtype.ts'
import type { Compressor } from '../codecs/registry.ts'

/** How one chunk becomes bytes. */
export interface ChunkEncoding {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Stored axes, slowest first: [0, 1, 2] is C order, [2, 1, 0] is F order. */
  readonly axisOrder: readonly number[]
  readonly bigEndian: boolean
  /** In the order of encoding. */
  readonly compressors: readonly Compressor[]
  /** The chunk is a shard with chunks of its own; what stands above about its layout is then that of plain bytes. */
  readonly nested?: { readonly shard: ShardSettings; readonly chunk: ChunkEncoding }
}

/** How the inner chunks of a shard are found. */
export interface ShardSettings {
  readonly shape: readonly number[]
  readonly indexLocation: 'start' | 'end'
  readonly indexHasChecksum: boolean
  /** @default false */
  readonly indexIsBigEndian?: boolean
  /** Applied to the complete, assembled shard. */
  readonly compressors: readonly Compressor[]
}
