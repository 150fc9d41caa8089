import type { ArrayDescription, ChunkedArray, CreateArrayOptions, OpenArrayOptions } from './chunked-array.ts'

/** All arrays, by the path that users write: `sample.hdf/volumes/raw`, `out.zarr/volumes/raw`, `https://host/data.zarr/raw`. */
export interface ArrayStore {
  /** @throws what `ArrayFormat.open` throws; ConfigError `UNKNOWN_FORMAT` */
  open(path: string, options?: OpenArrayOptions): Promise<ChunkedArray>
  /** @throws what `ArrayFormat.create` throws */
  create(path: string, options: CreateArrayOptions): Promise<ChunkedArray>
  /** Checks and decides everything that `create` would, without writing. */
  planCreate(path: string, options: CreateArrayOptions): Promise<ArrayDescription>
  /** The same spelling for all paths of an array, for comparison. */
  canonicalPath(path: string): string
}
