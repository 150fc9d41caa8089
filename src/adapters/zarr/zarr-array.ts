import type { ArrayDescription } from '../../ports/chunked-array.ts'
import { ChunkFileArray } from './chunks/chunk-file-array.ts'
import { gridShape } from './chunks/chunk-grid.ts'
import { indexNames } from './chunks/chunk-names.ts'
import { makeChunkCodec } from './chunks/make-chunk-codec.ts'
import { plainChunks } from './chunks/plain-chunks.ts'
import { ShardedChunks } from './chunks/sharded-chunks.ts'
import type { JsonObject } from './metadata/exact-json.ts'
import { storedShape, type ZarrMetadata } from './metadata/metadata.ts'
import { setAttributes } from './set-attributes.ts'
import { joinKey, type Store } from './store.ts'

/**
 * A Zarr array, version 2 or 3.
 * @param key of the array's folder in the store
 * @param options `writesEmpty`: whether chunks are written that have the fill value alone
 */
export function zarrArray(
  store: Store,
  key: string,
  metadata: ZarrMetadata,
  description: ArrayDescription,
  { writable, writesEmpty }: { readonly writable: boolean; readonly writesEmpty: boolean },
): ChunkFileArray {
  const { shape, keyPrefix, separator, shard, fill, zarrFormat } = metadata
  const grid = gridShape(shape, storedShape(metadata))
  const names = indexNames(key, { prefix: keyPrefix, separator, grid })
  const codec = makeChunkCodec(metadata.chunk, fill.bytes)
  const layout = {
    storedShape: storedShape(metadata),
    ...(shard === undefined ? { encoding: metadata.chunk } : {}),
    fill: fill.bytes,
    names,
    metadataKey: joinKey(key, zarrFormat === 2 ? '.zarray' : 'zarr.json'),
    access: (chunks: Store) =>
      shard === undefined
        ? plainChunks(chunks, names.keyOf, codec, fill.bytes, writesEmpty)
        : new ShardedChunks(chunks, names.keyOf, codec, shard, fill.bytes, { shape, writesEmpty }),
    setAttributes: (attributes: Readonly<Record<string, unknown>>) =>
      setAttributes(store, key, zarrFormat, attributes as JsonObject),
  }
  return new ChunkFileArray(store, layout, { ...description, format: zarrFormat === 2 ? 'zarr2' : 'zarr3' }, writable)
}
