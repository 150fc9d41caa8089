import type { DType, Scalar, TypedArray } from '../core/array/dtype.ts'
import type { Coordinate } from '../core/geometry/coordinate.ts'
import type { PlacedAxis } from '../core/geometry/placement.ts'
import type { Roi } from '../core/geometry/roi.ts'

/** Where one axis of an array lies in the world, as its file says it. */
export type ArrayAxis = PlacedAxis

/** What a stored array is, whatever its format. All shapes have one entry per stored axis, slowest first. */
export interface ArrayDescription {
  /** The path a user would write: `out.zarr/volumes/raw`. */
  readonly path: string
  readonly format: 'zarr2' | 'zarr3' | 'hdf5' | 'memory'
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  /** What is read and decoded in one piece: the inner chunk where there are shards. */
  readonly chunkShape: Coordinate<'voxel'>
  /** What is written in one piece, where that is more than a chunk. */
  readonly shardShape?: Coordinate<'voxel'>
  /** Memory order inside a chunk. */
  readonly order: 'C' | 'F'
  /** For people: `['zstd:3']`, `['blosc:lz4:5']`, `[]` for raw. */
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  /** The user's attributes as JSON, without those that hold the placement. */
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface TransferOptions {
  readonly signal?: AbortSignal
}

/** A stored n-dimensional array, addressed in voxels. */
export interface ChunkedArray extends ArrayDescription, AsyncDisposable {
  readonly writable: boolean

  /**
   * Fills `into` with a box of voxels, C order. Where the box goes past the array, or a chunk is missing, it is the fill value.
   * @param box any box, also with negative offsets
   * @param into `box.shape` elements of `dtype`
   * @throws ConfigError `RANK_MISMATCH`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  readVoxels(box: Roi<'voxel'>, into: TypedArray, options?: TransferOptions): Promise<void>

  /**
   * Writes a box of voxels, C order. A chunk is replaced as a whole, under a temporary name first: a reader, and a
   * writer killed at any moment, leave the old chunk or the new one. Two writers of one chunk at a time are the caller's
   * to prevent.
   * @param box inside the array
   * @throws ConfigError `OUTSIDE_ARRAY`, `READ_ONLY`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`; InfrastructureError `DISK_FULL`, `IO_ERROR`
   */
  writeVoxels(box: Roi<'voxel'>, data: TypedArray, options?: TransferOptions): Promise<void>

  /**
   * Removes the chunks (shards, where there are) that lie wholly in a box, as far as they lie in the array: they read as the
   * fill value then. Absent where the format can't.
   * @throws ConfigError `READ_ONLY`; InfrastructureError `IO_ERROR`
   */
  removeChunks?(box: Roi<'voxel'>): Promise<void>

  /** How many chunks (shards, where there are) are stored, for `info`; absent where the format can't tell. */
  countStoredChunks?(): Promise<{ readonly stored: number; readonly total: number }>
}

/** How to make a new array. */
export interface CreateArrayOptions {
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  /** @default a shape of about 64³ voxels, or 256 kB to 1 MB, cut to the array */
  readonly chunkShape?: Coordinate<'voxel'>
  /** A multiple of `chunkShape`; Zarr 3 alone. */
  readonly shardShape?: Coordinate<'voxel'>
  /** `NAME[:level]`: raw, gzip, zlib, zstd, blosc, blosc-lz4, blosc-zstd, …. @default 'zstd:3' */
  readonly codec?: string
  /** @default 0 */
  readonly fillValue?: Scalar
  /** One per axis of `shape`. @default names d0…, no scale */
  readonly axes?: readonly ArrayAxis[]
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Name of a finer array in the same group: this one becomes a coarser level of its pyramid, for readers of OME-Zarr. */
  readonly levelOf?: string
  /** @default 3 */
  readonly zarrFormat?: 2 | 3
  /** What to do when something is there. `reuse` opens it where shape, dtype, chunks and placement are the same. @default 'refuse' */
  readonly ifExists?: 'refuse' | 'reuse' | 'replace'
  /** A write ends when it is on the disk itself. @default false */
  readonly fsync?: boolean
}

/** How an array is opened. */
export interface OpenArrayOptions {
  /** @default 'r' */
  readonly mode?: 'r' | 'r+'
  /** A write ends when it is on the disk itself. @default false */
  readonly fsync?: boolean
}

/** One storage format: opens, and where it can, makes arrays. */
export interface ArrayFormat {
  readonly name: string
  /**
   * @param container the file or folder, or its http(s) address
   * @param inner the path inside it, `/` between names, '' for the container itself
   * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET` (naming what is there), `NOT_A_DATASET`, `UNSUPPORTED_CODEC`, `INVALID_METADATA`
   */
  open(container: string, inner: string, options?: OpenArrayOptions): Promise<ChunkedArray>
  /** @throws ConfigError `DATASET_EXISTS`, `UNSUPPORTED` (a format that can't be written) */
  create(container: string, inner: string, options: CreateArrayOptions): Promise<ChunkedArray>
  /** Everything that `create` checks and settles, without writing: what the new array will be. */
  planCreate(container: string, inner: string, options: CreateArrayOptions): Promise<ArrayDescription>
  /** The datasets and groups below `inner`, depth first, at most `limit` entries, for `info` and for messages. */
  list(
    container: string,
    inner: string,
    options?: { readonly limit?: number },
  ): Promise<readonly { readonly path: string; readonly kind: 'array' | 'group' }[]>
}
