import type { DType, Scalar, TypedArray } from '../core/array/dtype.ts'
import type { Coordinate } from '../core/geometry/coordinate.ts'
import type { PlacedAxis } from '../core/geometry/placement.ts'
import type { Roi } from '../core/geometry/roi.ts'

/** The placement of one axis of an array in the world, as its file gives it. */
export type ArrayAxis = PlacedAxis

/** The formats of arrays. */
export type StoredFormat =
  | 'zarr2'
  | 'zarr3'
  | 'hdf5'
  | 'n5'
  | 'precomputed'
  | 'mrc'
  | 'nifti'
  | 'nrrd'
  | 'npy'
  | 'metaimage'
  | 'tiff'
  | 'png'
  | 'stack'
  | 'memory'

/** The description of a stored array, in any format. All shapes have one entry per stored axis, slowest first. */
export interface ArrayDescription {
  /** The path as users write it: `out.zarr/volumes/raw`. */
  readonly path: string
  readonly format: StoredFormat
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  /** The unit that is read and decoded at once: the inner chunk of a sharded array. */
  readonly chunkShape: Coordinate<'voxel'>
  /** The unit that is written at once, if that is more than a chunk. */
  readonly shardShape?: Coordinate<'voxel'>
  /** Whether chunks (or shards) differ in shape; the shape that is given is then that of the longest along each axis. @default false */
  readonly chunksVary?: true
  /** Memory order inside a chunk. */
  readonly order: 'C' | 'F'
  /** For users: `['zstd:3']`, `['blosc:lz4:5']`, `[]` for raw. */
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  /** The user's attributes as JSON, without those that define the placement. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** What was found wrong in the file and put right: sentences for users, without their full stop. @default none */
  readonly warnings?: readonly string[]
}

export interface TransferOptions {
  readonly signal?: AbortSignal
}

/** A stored n-dimensional array, addressed in voxels. */
export interface ChunkedArray extends ArrayDescription, AsyncDisposable {
  readonly writable: boolean

  /**
   * Fills `into` with a box of voxels, C order. Outside the array, and in missing chunks, voxels have the fill value.
   * @param box any box, even with negative offsets
   * @param into `box.shape` elements of `dtype`
   * @throws ConfigError `RANK_MISMATCH`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  readVoxels(box: Roi<'voxel'>, into: TypedArray, options?: TransferOptions): Promise<void>

  /**
   * Writes a box of voxels, C order. A chunk is replaced atomically: it is written under a temporary name and renamed, so that
   * a reader sees the old chunk or the new one, even if the writer is killed. The caller must prevent two writers from writing the
   * same chunk at a time.
   * @param box inside the array
   * @throws ConfigError `OUTSIDE_ARRAY`, `READ_ONLY`, `SHAPE_MISMATCH`, `DTYPE_MISMATCH`; InfrastructureError `DISK_FULL`, `IO_ERROR`
   */
  writeVoxels(box: Roi<'voxel'>, data: TypedArray, options?: TransferOptions): Promise<void>

  /**
   * Writes a box with voxels of another array of the same dtype, chunk by chunk. Where both arrays store chunks in the same way, the bytes of
   * a chunk are taken over once it was decoded without an error. Absent if the format can't do that.
   * @param box inside both arrays
   * @param shift added to a position in this array, gives that in `from`
   * @returns false, and has written nothing, if chunks of the two arrays do not lie on each other: then read and write the voxels
   * @throws what `readVoxels` and `writeVoxels` throw
   */
  copyChunks?(
    box: Roi<'voxel'>,
    from: ChunkedArray,
    shift: readonly number[],
    options?: TransferOptions,
  ): Promise<boolean>

  /**
   * Removes the chunks (or shards) whose part in the array lies completely in a box: afterwards they read as the fill
   * value. Absent if the format can't remove chunks.
   * @throws ConfigError `READ_ONLY`; InfrastructureError `IO_ERROR`
   */
  removeChunks?(box: Roi<'voxel'>): Promise<void>

  /**
   * Sets attributes of the array; its others keep their values. `attributes` stays as it was when the array was opened. Absent if the format
   * can't change them.
   * @throws ConfigError `READ_ONLY`; InfrastructureError `DISK_FULL`, `IO_ERROR`
   */
  setAttributes?(attributes: Readonly<Record<string, unknown>>): Promise<void>

  /**
   * How many chunks (or shards) are stored; absent if the format can't tell.
   * @param options `limit`: when to stop counting. @default at the end
   */
  countStoredChunks?(options?: {
    readonly limit?: number
  }): Promise<{ readonly stored: number; readonly total: number }>
}

/** How to create an array. */
export interface CreateArrayOptions {
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  /** @default a shape of about 64³ voxels, or 256 kB to 1 MB, cut to the array */
  readonly chunkShape?: Coordinate<'voxel'>
  /** A multiple of `chunkShape`; only for Zarr 3. @default no shards */
  readonly shardShape?: Coordinate<'voxel'>
  /** `NAME[:level]`: raw, gzip, zlib, zstd, blosc, blosc-lz4, blosc-zstd, …. @default 'zstd:3' */
  readonly codec?: string
  /** @default 0 */
  readonly fillValue?: Scalar
  /** The fill value if none is given and the format can have it. @default 0 */
  readonly likeFill?: Scalar
  /** One per axis of `shape`. @default names d0…, no scale */
  readonly axes?: readonly ArrayAxis[]
  readonly attributes?: Readonly<Record<string, unknown>>
  /** Name of a finer array in the same group: for readers of OME-Zarr, the new array becomes a coarser level of its pyramid. */
  readonly levelOf?: string
  /**
   * A group of a Zarr container of which the groups around the new array get all metadata that they do not have: channels, labels,
   * plates, wells. `below` is the path of the array below that group.
   */
  readonly groupsLike?: { readonly container: string; readonly inner: string; readonly below: string }
  /** @default 3 */
  readonly zarrFormat?: 2 | 3
  /**
   * What to do if the array exists. `reuse` opens it if shape, dtype, chunk shape and placement are the same; `grow`, too, after it was made
   * larger at its ends if it is smaller. @default 'refuse'
   */
  readonly ifExists?: 'refuse' | 'reuse' | 'grow' | 'replace'
  /** Whether a write waits until the data is on the disk. @default false */
  readonly fsync?: boolean
}

/** How an array is opened. */
export interface OpenArrayOptions {
  /** Whether files outside the container may be read, if links or attributes of it lead there. @default the format's own setting */
  readonly allowExternal?: boolean
  /** @default 'r' */
  readonly mode?: 'r' | 'r+'
  /** Whether a write waits until the data is on the disk. @default false */
  readonly fsync?: boolean
  /**
   * The id of the run that writes, or what returns it: a chunk is not written once the array is marked as that of another run.
   * @default not checked
   */
  readonly owner?: string | (() => string)
  /** Whether `owner` counts for the array in this folder: a path may name a group, and open an array in it. @default it does */
  readonly owns?: (folder: string) => boolean
  /**
   * The number of the lease of the block that writes, if a block does: a chunk is not written once the mark of the array says that this lease
   * is over.
   * @default not checked
   */
  readonly lease?: () => number | undefined
}

/** One storage format: opens arrays, and creates them if it can. */
export interface ArrayFormat {
  readonly name: string
  /**
   * @param container the file or folder, or its http(s) address
   * @param inner the path inside it, `/` between names, '' for the container itself
   * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET` (naming the datasets that exist), `NOT_A_DATASET`, `UNSUPPORTED_CODEC`, `INVALID_METADATA`
   */
  open(container: string, inner: string, options?: OpenArrayOptions): Promise<ChunkedArray>
  /** @throws ConfigError `DATASET_EXISTS`, `UNSUPPORTED` (a format that can't be written) */
  create(container: string, inner: string, options: CreateArrayOptions): Promise<ChunkedArray>
  /** Checks and decides everything that `create` would, without writing. @returns what the new array will be */
  planCreate(container: string, inner: string, options: CreateArrayOptions): Promise<ArrayDescription>
  /** The datasets and groups below `inner`, depth first, at most `limit` entries, for `info` and for messages. */
  list(
    container: string,
    inner: string,
    options?: { readonly limit?: number },
  ): Promise<readonly { readonly path: string; readonly kind: 'array' | 'group' }[]>
}
