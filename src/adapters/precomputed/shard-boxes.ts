import { ConfigError } from '../../core/errors.ts'
import { showCoordinate } from '../../core/geometry/coordinate.ts'
import type { JsonObject } from '../zarr/metadata/exact-json.ts'
import type { Sharding } from './sharding.ts'

// Which boxes of chunks are shards. The number of a chunk is made of the bits of its indices in turn, x first; with the hash "identity",
// the chunks that share all bits but the lowest ones are a shard. Lists of three are z, y, x.

/** Chunks of a minishard: what has more has several, so that a reader of one chunk reads no long index. */
const MINISHARD_BITS = 9

/** To which axis each bit of a chunk's number belongs, the lowest first. */
function axesOfBits(grid: readonly number[]): number[] {
  const axes: number[] = []
  for (let power = 1; power < Math.max(...grid); power *= 2) {
    for (let axis = 2; axis >= 0; axis--) if (power < (grid[axis] as number)) axes.push(axis)
  }
  return axes
}

const boxOf = (axes: readonly number[], bits: number): number[] =>
  [0, 1, 2].map((axis) => 2 ** axes.slice(0, bits).filter((other) => other === axis).length)

/**
 * Chunks of a shard along z, y and x; undefined if the chunks of its shards are no boxes.
 * @param grid chunks along z, y, x
 */
export function shardBox({ hash, preshiftBits, minishardBits, shardBits }: Sharding, grid: readonly number[]) {
  const axes = axesOfBits(grid)
  // One shard has all chunks, wherever in it they are.
  if (shardBits === 0) return boxOf(axes, axes.length)
  const bits = preshiftBits + minishardBits
  return hash === 'identity' && bits + shardBits >= axes.length ? boxOf(axes, bits) : undefined
}

/**
 * The sharding of a new scale.
 * @param wanted voxels of a shard along z, y, x: a multiple of the chunks; along an axis, it may end beyond the array
 * @throws ConfigError `UNSUPPORTED` for a box that is no shard, with those that are
 */
export function newSharding(
  path: string,
  grid: readonly number[],
  chunkSize: readonly number[],
  wanted: readonly number[],
): JsonObject {
  const axes = axesOfBits(grid)
  const fits = (box: readonly number[]) =>
    box.every((chunks, axis) => {
      const length = (wanted[axis] as number) / (chunkSize[axis] as number)
      return chunks === length || (chunks >= (grid[axis] as number) && length >= (grid[axis] as number))
    })
  const boxes = Array.from({ length: axes.length + 1 }, (_, bits) => boxOf(axes, bits))
  const bits = boxes.findIndex(fits)
  if (bits === -1) {
    const voxels = (box: readonly number[]) =>
      box.reduce((all, chunks, axis) => all * chunks * (chunkSize[axis] as number), 1)
    const target = wanted.reduce((all, length) => all * length, 1)
    const distance = (box: readonly number[]) => Math.abs(Math.log(voxels(box) / target))
    const near = [...boxes].sort((a, b) => distance(a) - distance(b)).slice(0, 2)
    const shown = near.map((box) => showCoordinate(box.map((chunks, axis) => chunks * (chunkSize[axis] as number))))
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: the shard shape ${showCoordinate(wanted)} can't be written: shards of precomputed volumes double along x, y and z in turn; use ${shown.join(' or ')}.`,
    )
  }
  const preshift = Math.min(bits, MINISHARD_BITS)
  return {
    '@type': 'neuroglancer_uint64_sharded_v1',
    hash: 'identity',
    preshift_bits: preshift,
    minishard_bits: bits - preshift,
    shard_bits: axes.length - bits,
    minishard_index_encoding: 'gzip',
    data_encoding: 'gzip',
  }
}
