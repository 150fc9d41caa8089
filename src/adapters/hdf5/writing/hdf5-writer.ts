import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { BlockwiseError, InfrastructureError } from '../../../core/errors.ts'
import { errnoOf, systemFailure, systemReason } from '../../../core/system-errors.ts'
import { entriesBelow } from '../hdf5-entries.ts'
import { Hdf5File } from '../hdf5-file.ts'
import {
  callHdf5,
  HDF5_CLASS,
  Hdf5Failure,
  type Hdf5Library,
  type Hdf5NewDataset,
  loadHdf5,
  scratchMemory,
} from '../library.ts'
import { MESSAGE } from '../object-header.ts'

type ElementType = Pick<Hdf5NewDataset, 'type' | 'size' | 'signed' | 'vlen' | 'cset'>

export const UINT8: ElementType = { type: HDF5_CLASS.integer, size: 1, signed: false, vlen: false }
export const UINT64: ElementType = { type: HDF5_CLASS.integer, size: 8, signed: false, vlen: false }
export const FLOAT64: ElementType = { type: HDF5_CLASS.float, size: 8, signed: true, vlen: false }
const TEXT: ElementType = { type: HDF5_CLASS.string, size: 4, signed: false, vlen: true, cset: 1 }

/** The number of the filter. */
const GZIP = 1

/** HDF5's H5F_ACC_TRUNC. */
const CREATE = 2

/** A chunked volume; those of `writeSlab` have axes z, y, x. */
export interface Hdf5Volume {
  readonly path: string
  readonly element: ElementType
  /** Voxels. */
  readonly size: readonly number[]
  readonly chunk: readonly number[]
  /** Of gzip, 0 to 9; not compressed if it is undefined. */
  readonly level: number | undefined
}

/** One new HDF5 file. Every method throws `Hdf5Failure` if HDF5 reports an error. */
export class Hdf5Writer {
  readonly #library: Hdf5Library
  readonly #file: bigint

  private constructor(library: Hdf5Library, path: string) {
    this.#library = library
    // The oldest layout: every HDF5 of the last 20 years can read it, and its headers have no checksums (see clearTimes).
    const { H5F_LIBVER_EARLIEST: oldest, H5F_LIBVER_LATEST: newest } = library
    this.#file = callHdf5(library, (hdf5) => hdf5.open(path, CREATE, false, oldest, newest))
  }

  /** Creates a file; an existing one is replaced. */
  static async create(path: string): Promise<Hdf5Writer> {
    return new Hdf5Writer(await loadHdf5(), path)
  }

  createGroup(path: string): void {
    this.#call((hdf5) => hdf5.create_group(this.#file, path, false))
  }

  /** Created empty and then enlarged, because creating it at full size would need all voxels at once. */
  createVolume({ path, element, size, chunk, level }: Hdf5Volume): void {
    const empty = {
      ...describe(
        element,
        size.map(() => 0),
      ),
      maxshape: size.map(BigInt),
      chunks: chunk.map(BigInt),
      ...(level === undefined ? {} : { compression: GZIP, compression_opts: [level] }),
    }
    this.#call((hdf5) => hdf5.create_dataset(this.#file, path, BigInt(scratchMemory(this.#library, 8)), empty))
    this.#call((hdf5) => hdf5.resize_dataset(this.#file, path, size.map(BigInt)))
  }

  /**
   * Writes `sections` sections from `z` on, one row of chunks at a time, so that HDF5's heap stays small.
   * @param fill writes voxels `from` to `to` (exclusive) of the slab, in C order, to `target`, which is aligned to 8 bytes
   */
  writeSlab(
    { path, element, size, chunk }: Hdf5Volume,
    z: number,
    sections: number,
    fill: (from: number, to: number, target: Uint8Array) => void,
  ): void {
    const [height, width] = [size[1]!, size[2]!]
    for (let y = 0; y < height; y += chunk[1]!) {
      const rows = Math.min(chunk[1]!, height - y)
      const bytes = rows * width * element.size
      const pointer = scratchMemory(this.#library, sections * bytes)
      for (let k = 0; k < sections; k++) {
        const from = (k * height + y) * width
        const start = pointer + k * bytes
        fill(from, from + rows * width, this.#library.HEAPU8.subarray(start, start + bytes))
      }
      const count = [sections, rows, width].map(BigInt)
      const offset = [z, y, 0].map(BigInt)
      this.#call((hdf5) => hdf5.set_dataset_data(this.#file, path, count, offset, [1n, 1n, 1n], BigInt(pointer)))
    }
  }

  /** Writes a box of voxels, C order: best one of whole chunks, which HDF5 compresses at once. */
  writeBox(path: string, offset: readonly number[], shape: readonly number[], voxels: Uint8Array): void {
    const pointer = scratchMemory(this.#library, voxels.length)
    this.#library.HEAPU8.set(voxels, pointer)
    const steps = shape.map(() => 1n)
    this.#call((hdf5) =>
      hdf5.set_dataset_data(this.#file, path, shape.map(BigInt), offset.map(BigInt), steps, BigInt(pointer)),
    )
  }

  writeList(path: string, element: ElementType, shape: readonly number[], data: BigUint64Array | Float64Array): void {
    const pointer = this.#copyIn(data)
    this.#call((hdf5) => hdf5.create_dataset(this.#file, path, pointer, describe(element, shape)))
  }

  writeTexts(path: string, texts: readonly string[]): void {
    this.#call((hdf5) => hdf5.create_vlen_str_dataset(this.#file, path, texts, describe(TEXT, [texts.length])))
  }

  /** @param values numbers as a list of float64, one number, one text or a list of texts */
  writeAttribute(path: string, name: string, values: readonly number[] | number | string | readonly string[]): void {
    const shape = Array.isArray(values) ? [values.length] : []
    const list = (Array.isArray(values) ? values : [values]) as readonly number[] | readonly string[]
    if (typeof list[0] === 'string') {
      const texts = list as readonly string[]
      this.#call((hdf5) => hdf5.create_vlen_str_attribute(this.#file, path, name, texts, describe(TEXT, shape)))
      return
    }
    const pointer = this.#copyIn(Float64Array.from(list as readonly number[]))
    this.#call((hdf5) => hdf5.create_attribute(this.#file, path, name, pointer, describe(FLOAT64, shape)))
  }

  close(): void {
    this.#call((hdf5) => hdf5.flush(this.#file))
    this.#call((hdf5) => hdf5.close_file(this.#file))
  }

  /** Closes a file that will be deleted, ignoring errors. */
  abandon(): void {
    try {
      this.#call((hdf5) => hdf5.close_file(this.#file))
    } catch {
      // A full disk fails here again.
    }
  }

  #call<T>(call: (library: Hdf5Library) => T): T {
    return callHdf5(this.#library, call)
  }

  #copyIn(data: BigUint64Array | Float64Array): bigint {
    const pointer = scratchMemory(this.#library, Math.max(8, data.byteLength))
    this.#library.HEAPU8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), pointer)
    return BigInt(pointer)
  }
}

function describe(element: ElementType, shape: readonly number[]): Hdf5NewDataset {
  const dims = shape.map(BigInt)
  return {
    ...element,
    shape: dims,
    maxshape: dims,
    chunks: null,
    compression: 0,
    compression_opts: [],
    track_order: false,
  }
}

/** Removes the modification time that HDF5 stores with each dataset, so that equal contents make equal files. */
export async function clearTimes(path: string): Promise<void> {
  const file = await Hdf5File.open(path)
  let stamps: number[]
  try {
    const datasets = entriesBelow(file, '', Number.POSITIVE_INFINITY).filter(({ kind }) => kind === 'array')
    stamps = datasets.flatMap((entry) =>
      file.inspectHeader(entry.path, (_fd, _block, messages) =>
        messages.filter(({ type }) => type === MESSAGE.modified).map(({ position }) => position),
      ),
    )
  } finally {
    file.release()
  }
  const fd = openSync(path, 'r+')
  try {
    // A version and three spare bytes precede the seconds; headers of this kind have no checksum.
    for (const position of stamps) writeSync(fd, new Uint8Array(4), 0, 4, position + 4)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Turns an error while writing into `DISK_FULL` or `IO_ERROR`; returns errors of other kinds unchanged. */
export function writeFailure(path: string, error: unknown): unknown {
  if (error instanceof BlockwiseError) return error
  if (error instanceof Hdf5Failure) {
    const report = `${error.message}\n${error.report}`
    const isFull = /No space left|ENOSPC|Quota exceeded|EDQUOT|File too large|EFBIG/i.test(report)
    // HDF5 names its own temporary file, and numbers that are not those of this system.
    const [, why] = /^unable to open file:.*error message = '([^']+)'/.exec(error.message) ?? []
    const reason = why === undefined ? error.message : `no file can be created there (${why}); choose another place`
    return failure(path, isFull, reason, new Error(report.trimEnd()))
  }
  const errno = errnoOf(error)
  if (errno === undefined) return error
  const isFull = systemFailure(error)?.code === 'DISK_FULL' || errno === 'EFBIG'
  return failure(path, isFull, systemReason(error), error)
}

function failure(path: string, isFull: boolean, reason: string, cause: unknown): InfrastructureError {
  const what = isFull ? 'the disk is full or your quota is used up; free some space, then start again' : reason
  return new InfrastructureError(isFull ? 'DISK_FULL' : 'IO_ERROR', `"${path}" can't be written: ${what}.`, { cause })
}
