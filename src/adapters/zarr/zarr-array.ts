import type { ChunkCache } from '../../core/array/chunk-cache.ts'
import type { ArrayDescription } from '../../ports/chunked-array.ts'
import { setAttributes } from './change-metadata.ts'
import { ChunkFileArray } from './chunks/chunk-file-array.ts'
import { gridShape } from './chunks/chunk-grid.ts'
import { indexNames } from './chunks/chunk-names.ts'
import { makeChunkCodec } from './chunks/make-chunk-codec.ts'
import { plainChunks } from './chunks/plain-chunks.ts'
import { ShardedChunks } from './chunks/sharded-chunks.ts'
import { VaryingChunks } from './chunks/varying-chunks.ts'
import { type ArrayIdentity, type MetadataFiles, recordIn } from './metadata/array-identity.ts'
import type { JsonObject } from './metadata/exact-json.ts'
import { storedShape, type ZarrMetadata } from './metadata/metadata.ts'
import { parseV2Metadata } from './metadata/metadata-v2.ts'
import { parseV3Metadata } from './metadata/metadata-v3.ts'
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
  const largest = storedShape(metadata)
  const stored = metadata.grid ?? largest
  const names = indexNames(key, { prefix: keyPrefix, separator, grid: gridShape(shape, stored) })
  /** @param files of one shape: chunks, or shards */
  const accessOf = (chunks: Store, files: readonly number[], cache?: ChunkCache) => {
    if (shard === undefined) {
      const codec = makeChunkCodec({ ...metadata.chunk, shape: files }, fill.bytes)
      return plainChunks(chunks, names.keyOf, codec, fill.bytes, writesEmpty, cache)
    }
    const codec = makeChunkCodec(metadata.chunk, fill.bytes)
    const settings = { ...shard, shape: files }
    return new ShardedChunks(chunks, names.keyOf, codec, settings, fill.bytes, { shape, writesEmpty })
  }
  const layout = {
    storedShape: stored,
    ...(shard === undefined && metadata.grid === undefined ? { encoding: metadata.chunk } : {}),
    fill: fill.bytes,
    names,
    metadata: metadataFiles(key, metadata),
    access: (chunks: Store) =>
      metadata.grid === undefined
        ? accessOf(chunks, largest)
        : new VaryingChunks(metadata.grid, largest, (files, cache) => accessOf(chunks, files, cache)),
    setAttributes: (attributes: Readonly<Record<string, unknown>>) =>
      setAttributes(store, key, zarrFormat, attributes as JsonObject),
  }
  return new ChunkFileArray(store, layout, { ...description, format: zarrFormat === 2 ? 'zarr2' : 'zarr3' }, writable)
}

function metadataFiles(key: string, metadata: ZarrMetadata): MetadataFiles {
  const opened = identityOf(metadata)
  if (metadata.zarrFormat === 3) {
    const file = joinKey(key, 'zarr.json')
    return { key: file, opened, identify: (json) => identityOf(parseV3Metadata(json, file)) }
  }
  const file = joinKey(key, '.zarray')
  const identify = (json: JsonObject, attributes: JsonObject) => identityOf(parseV2Metadata(json, attributes, file))
  return { key: file, attributesKey: joinKey(key, '.zattrs'), opened, identify }
}

const identityOf = ({ shape, attributes, dimensionNames: _, ...layout }: ZarrMetadata): ArrayIdentity => ({
  shape,
  layout,
  record: recordIn(attributes),
})
