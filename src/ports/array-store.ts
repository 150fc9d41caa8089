import type { ArrayDescription, ChunkedArray, CreateArrayOptions, OpenArrayOptions } from './chunked-array.ts'

/** Arrays by the one path that users write: `sample.hdf/volumes/raw`, `out.zarr/volumes/raw`, `https://host/data.zarr/raw`. */
export interface ArrayStore {
  /** @throws what `ArrayFormat.open` throws; ConfigError `UNKNOWN_FORMAT` */
  open(path: string, options?: OpenArrayOptions): Promise<ChunkedArray>
  /** @throws what `ArrayFormat.create` throws */
  create(path: string, options: CreateArrayOptions): Promise<ChunkedArray>
  /** All that `create` checks and settles, without writing. */
  planCreate(path: string, options: CreateArrayOptions): Promise<ArrayDescription>
  /** One spelling for every path that names the same array, for comparing. */
  canonicalPath(path: string): string
}
