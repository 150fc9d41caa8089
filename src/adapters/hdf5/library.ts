import { ConfigError, messageOf } from '../../core/errors.ts'
import { AbsentBytes } from '../ranges/absent-bytes.ts'
import { type CallAccess, callMounted, type LibraryFileSystem, serveMounted } from './ranges/mounted-files.ts'

/** The functions of h5wasm that are used here, with their actual types. File ids are HDF5's. */
export interface Hdf5Library {
  readonly HEAPU8: Uint8Array
  readonly H5F_LIBVER_EARLIEST: number
  readonly H5F_LIBVER_LATEST: number
  readonly FS: LibraryFileSystem
  _malloc(bytes: number): number
  _free(pointer: number): void
  UTF8ToString(pointer: number): string
  open(path: string, mode: number, trackOrder: boolean, lowVersion: number, highVersion: number): bigint
  close_file(file: bigint): number
  flush(file: bigint): number
  /** 0 group, 1 dataset, 2 named type, 3 and 4 dangling link, -1 nothing */
  get_type(file: bigint, path: string): number
  get_names(file: bigint, group: string, recursive: boolean): string[]
  get_symbolic_link(file: bigint, path: string): string | null
  get_external_link(file: bigint, path: string): { filename?: string; obj_path?: string }
  get_dataset_metadata(file: bigint, path: string): Hdf5Metadata
  get_dataset_filters(file: bigint, path: string): Hdf5Filter[]
  get_attribute_names(file: bigint, path: string): string[]
  get_attribute_metadata(file: bigint, path: string, name: string): Hdf5Metadata
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number
  reclaim_vlen_memory(file: bigint, path: string, attribute: string, pointer: bigint): number
  get_dataset_data(
    file: bigint,
    path: string,
    count: readonly bigint[],
    offset: readonly bigint[],
    strides: readonly bigint[],
    pointer: bigint,
  ): number
  set_dataset_data: Hdf5Library['get_dataset_data']
  /** The address of the object's header in its file, 8 bytes, little endian. */
  create_object_reference(file: bigint, path: string): ArrayLike<number>
  create_group(file: bigint, path: string, trackOrder: boolean): number
  create_dataset(file: bigint, path: string, pointer: bigint, metadata: Hdf5NewDataset): number
  create_attribute(file: bigint, path: string, name: string, pointer: bigint, metadata: Hdf5NewDataset): number
  create_vlen_str_dataset(file: bigint, path: string, data: readonly string[], metadata: Hdf5NewDataset): number
  create_vlen_str_attribute(
    file: bigint,
    path: string,
    name: string,
    data: readonly string[],
    metadata: Hdf5NewDataset,
  ): number
  resize_dataset(file: bigint, path: string, shape: readonly bigint[]): number
}

/** The type and shape of a dataset or an attribute; `shape` is null if it is empty and [] if it is a single value. */
export interface Hdf5Metadata {
  readonly type: number
  readonly size: number
  readonly signed: boolean
  readonly littleEndian: boolean
  readonly vlen: boolean
  readonly cset?: number
  readonly shape: number[] | null
  readonly chunks: number[] | null
  readonly total_size: number
  readonly enum_type?: { readonly members: Readonly<Record<string, number>> }
  readonly virtual_sources?: readonly { readonly file_name: string; readonly dset_name: string }[]
}

export interface Hdf5Filter {
  readonly id: number
  readonly name: string
  readonly cd_values: readonly number[]
}

/** The properties of a new dataset or attribute. */
export interface Hdf5NewDataset {
  readonly type: number
  readonly size: number
  readonly signed: boolean
  readonly vlen: boolean
  readonly cset?: number
  readonly shape: readonly bigint[]
  readonly maxshape: readonly bigint[]
  readonly chunks: readonly bigint[] | null
  readonly compression: number
  readonly compression_opts: readonly number[]
  readonly track_order: boolean
}

/** HDF5's numbers of type classes. */
export const HDF5_CLASS = {
  integer: 0,
  float: 1,
  time: 2,
  string: 3,
  bitfield: 4,
  opaque: 5,
  compound: 6,
  reference: 7,
  enum: 8,
  vlen: 9,
  array: 10,
} as const

/** A failed call of HDF5. `message` is HDF5's innermost reason, `report` its complete error stack. */
export class Hdf5Failure extends Error {
  readonly report: string
  constructor(reason: string, report: string) {
    super(reason)
    this.name = 'Hdf5Failure'
    this.report = report
  }
}

let loaded: Promise<Hdf5Library> | undefined
let complaints = ''

/** HDF5 itself: 4 MB of WebAssembly, so it is loaded with the first file, once per thread. */
export function loadHdf5(): Promise<Hdf5Library> {
  loaded ??= import('h5wasm/node').then(async ({ ready }) => {
    const library = (await ready) as unknown as Hdf5Library
    keepComplaints(library)
    serveMounted(library.FS)
    return library
  })
  return loaded
}

/** HDF5 prints its error stack to stderr; this keeps the text for our own errors instead. */
function keepComplaints(library: Hdf5Library): void {
  const stderr = library.FS.getStream(2)
  const write = library.FS.write
  library.FS.write = (stream, buffer, offset, length, ...rest) => {
    if (stream !== stderr) return write(stream, buffer, offset, length, ...rest)
    const start = offset as number
    complaints += new TextDecoder().decode((buffer as Uint8Array).slice(start, start + (length as number)))
    return length as number
  }
}

/**
 * One call of HDF5. h5wasm ignores most errors of HDF5 (for example a chunk that can't be flushed on close), so a call has
 * failed if it returns a negative status, throws, or made HDF5 print an error.
 * @throws Hdf5Failure; AbsentBytes; ConfigError for a file that it may not read
 */
export function callHdf5<T>(library: Hdf5Library, call: (library: Hdf5Library) => T, access: CallAccess = {}): T {
  complaints = ''
  let result: T
  try {
    result = callMounted(access, () => call(library))
  } catch (error) {
    if (error instanceof AbsentBytes || error instanceof ConfigError) throw error
    // A WebAssembly trap or an assertion keeps its message; h5wasm's messages are all "error - name not defined!".
    throw new Hdf5Failure(innermostReason(complaints) ?? shortMessage(error), complaints)
  }
  const failed = (typeof result === 'number' || typeof result === 'bigint') && result < 0
  if (failed || complaints !== '') {
    throw new Hdf5Failure(innermostReason(complaints) ?? `HDF5 returned ${String(result)}`, complaints)
  }
  return result
}

/** A call for which a negative result is an answer, not a failure; HDF5's report is discarded. */
export function askHdf5<T>(library: Hdf5Library, call: (library: Hdf5Library) => T, access: CallAccess = {}): T {
  const result = callMounted(access, () => call(library))
  complaints = ''
  return result
}

const shortMessage = (error: unknown): string => messageOf(error).slice(0, 300)

/** The last line of HDF5's error stack, without its place in the C code. */
function innermostReason(report: string): string | undefined {
  const lines = [...report.matchAll(/^\s*#\d+: .*? in \w+\(\): (.*)$/gm)]
  return lines.at(-1)?.[1]?.trim().slice(0, 300)
}

let scratch = { pointer: 0, bytes: 0 }

/**
 * Memory in HDF5's heap, valid until the next call. One piece is reused, since the heap never shrinks.
 * @throws ConfigError `UNSUPPORTED` when the heap (2 GiB) is full
 */
export function scratchMemory(library: Hdf5Library, bytes: number): number {
  if (bytes > scratch.bytes) {
    if (scratch.pointer !== 0) library._free(scratch.pointer)
    scratch = { pointer: 0, bytes: 0 }
    const pointer = library._malloc(bytes)
    if (pointer === 0) {
      throw new ConfigError(
        'UNSUPPORTED',
        `HDF5 can't allocate ${bytes} bytes in its heap of 2 GiB; read smaller blocks.`,
      )
    }
    scratch = { pointer, bytes }
  }
  return scratch.pointer
}
