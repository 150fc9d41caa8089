import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes a precomputed volume of bytes whose chunks follow along z, all in one shard, as writers do: under another name first. */
export function makeShardedVolume(
  root: string,
  key: string,
  { shape, chunkShape }: { readonly shape: readonly number[]; readonly chunkShape: readonly number[] },
  voxels: Uint8Array,
): void {
  const [z, y, x] = shape as [number, number, number]
  const chunks = Math.ceil(z / (chunkShape[0] as number))
  const length = voxels.length / chunks
  const sharding = {
    ...{ '@type': 'neuroglancer_uint64_sharded_v1', hash: 'identity', preshift_bits: 0, minishard_bits: 0 },
    ...{ shard_bits: 0, minishard_index_encoding: 'raw', data_encoding: 'raw' },
  }
  const scale = { key, size: [x, y, z], resolution: [1, 1, 1], voxel_offset: [0, 0, 0], encoding: 'raw', sharding }
  const info = { type: 'image', data_type: 'uint8', num_channels: 1, '@type': 'neuroglancer_multiscale_volume' }
  const scales = [{ ...scale, chunk_sizes: [[...chunkShape].reverse()] }]
  mkdirSync(join(root, key), { recursive: true })
  writeFileSync(join(root, 'info'), JSON.stringify({ ...info, scales }))
  const index = new BigUint64Array(3 * chunks)
  for (let i = 0; i < chunks; i++) {
    index[i] = i === 0 ? 0n : 1n
    index[2 * chunks + i] = BigInt(length)
  }
  const bounds = BigUint64Array.of(BigInt(voxels.length), BigInt(voxels.length + index.byteLength))
  writeFileSync(join(root, key, 'new'), Buffer.concat([Buffer.from(bounds.buffer), voxels, Buffer.from(index.buffer)]))
  renameSync(join(root, key, 'new'), join(root, key, '0.shard'))
}
