import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Hdf5File } from '../adapters/hdf5/hdf5-file.ts'
import {
  callHdf5,
  HDF5_CLASS,
  Hdf5Failure,
  type Hdf5Library,
  type Hdf5NewDataset,
  loadHdf5,
  scratchMemory,
} from '../adapters/hdf5/library.ts'
import { MESSAGE } from '../adapters/hdf5/object-header.ts'
import { ConfigError, InfrastructureError } from '../core/errors.ts'
import { createTissue, type Tissue, type TissueSection } from './tissue.ts'

export interface SampleOptions {
  /** Voxels, z y x. @default [64, 512, 512] */
  readonly size?: readonly number[]
  /** Any integer: the same one gives the same bytes, on every machine. @default 1 */
  readonly seed?: number
  readonly signal?: AbortSignal
  /** After each slab of sections. */
  readonly onProgress?: (progress: { readonly sections: number; readonly total: number }) => void
}

/** What was written. */
export interface SampleFile {
  readonly path: string
  readonly size: readonly number[]
  /** nm, z y x */
  readonly voxelSize: readonly number[]
  readonly synapses: number
  readonly bytes: number
}

/** nm, z y x: those of CREMI's samples. */
const RESOLUTION = [40, 4, 4]

/** Sections that are drawn and written together are one layer of these. */
const CHUNK = [8, 128, 128]

/** What CREMI writes where there is no cleft. */
const NO_CLEFT = 2n ** 64n - 1n

let written = 0

/**
 * Writes synthetic neural tissue in the layout of CREMI's sample A: `volumes/raw`, `volumes/labels/neuron_ids`,
 * `volumes/labels/clefts` and `annotations`. It is written under a temporary name and renamed when it is whole; a file
 * that was there is replaced. Memory grows with a slab of 8 sections, not with the depth: about 350 MB for sections of 1250 × 1250.
 * @throws ConfigError `INVALID_CONFIG`, `NO_SUCH_FILE` (no such folder); InfrastructureError `DISK_FULL`, `IO_ERROR`; the signal's reason
 */
export async function writeSampleFile(path: string, options: SampleOptions = {}): Promise<SampleFile> {
  const { size = [64, 512, 512], seed = 1, signal, onProgress } = options
  assertSample(size, seed)
  const target = resolve(path)
  assertFolder(target)
  const temporary = join(dirname(target), `.${basename(target)}.${process.pid}-${written++}.tmp`)
  const library = await loadHdf5()
  const tissue = createTissue(seed)
  try {
    const synapses = tissue.synapsesIn([size[0]!, size[1]!, size[2]!])
    const file = new SampleWriter(library, temporary)
    try {
      file.writeLayout(size)
      for await (const done of file.writeVolumes(tissue, size)) {
        onProgress?.({ sections: done, total: size[0]! })
        signal?.throwIfAborted()
      }
      file.writeAnnotations(synapses)
    } catch (error) {
      file.abandon()
      throw error
    }
    file.close()
    await clearTimes(temporary)
    const bytes = statSync(temporary).size
    renameSync(temporary, target)
    return { path: target, size, voxelSize: RESOLUTION, synapses: synapses.length, bytes }
  } catch (error) {
    rmSync(temporary, { force: true })
    throw writeError(target, error)
  }
}

function assertSample(size: readonly number[], seed: number): void {
  if (size.length !== 3 || !size.every((length) => Number.isInteger(length) && length > 0 && length <= 65536)) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `A sample's size is three numbers z, y, x from 1 to 65536, not (${size.join(', ')}).`,
    )
  }
  if (!Number.isInteger(seed) || seed !== (seed | 0)) {
    throw new ConfigError('INVALID_CONFIG', `A sample's seed is an integer of 32 bits, not ${seed}.`)
  }
}

function assertFolder(target: string): void {
  const folder = dirname(target)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return
  throw new ConfigError(
    'NO_SUCH_FILE',
    `There is no folder "${folder}" to write "${basename(target)}" in; make it first.`,
  )
}

function writeError(path: string, error: unknown): unknown {
  const system = (error as NodeJS.ErrnoException).code
  if (!(error instanceof Hdf5Failure) && system === undefined) return error
  if (error instanceof ConfigError || error instanceof InfrastructureError) return error
  const report = error instanceof Hdf5Failure ? `${error.message}\n${error.report}` : String(system)
  const cause = error instanceof Hdf5Failure ? new Error(report.trimEnd()) : error
  if (/No space left|ENOSPC|Quota exceeded|EDQUOT|File too large|EFBIG/i.test(report)) {
    return new InfrastructureError(
      'DISK_FULL',
      `"${path}" can't be written: no room is left on the disk, or within your quota. The unfinished file was removed.`,
      { cause },
    )
  }
  return new InfrastructureError('IO_ERROR', `"${path}" can't be written: ${(error as Error).message}.`, { cause })
}

type Kind = Pick<Hdf5NewDataset, 'type' | 'size' | 'signed' | 'vlen' | 'cset'>

const UINT8: Kind = { type: HDF5_CLASS.integer, size: 1, signed: false, vlen: false }
const UINT64: Kind = { type: HDF5_CLASS.integer, size: 8, signed: false, vlen: false }
const FLOAT64: Kind = { type: HDF5_CLASS.float, size: 8, signed: true, vlen: false }
const TEXT: Kind = { type: HDF5_CLASS.string, size: 4, signed: false, vlen: true, cset: 1 }

/** One HDF5 file while it is written; every status is looked at. */
class SampleWriter {
  readonly #library: Hdf5Library
  readonly #file: bigint

  constructor(library: Hdf5Library, path: string) {
    this.#library = library
    // The oldest layout: any HDF5 of the last 20 years reads it, and its headers have no checksums (see clearTimes).
    const { H5F_LIBVER_EARLIEST: oldest, H5F_LIBVER_LATEST: newest } = library
    this.#file = callHdf5(library, (hdf5) => hdf5.open(path, CREATE, false, oldest, newest))
  }

  writeLayout(size: readonly number[]): void {
    for (const group of [
      '/volumes',
      '/volumes/labels',
      '/annotations',
      '/annotations/presynaptic_site',
      '/annotations/comments',
    ]) {
      this.#call((hdf5) => hdf5.create_group(this.#file, group, false))
    }
    const text = describe(TEXT, [])
    this.#call((hdf5) => hdf5.create_vlen_str_attribute(this.#file, '/', 'file_format', ['0.2'], text))
    this.#createVolume(RAW, UINT8, size)
    this.#writeAttribute(RAW, 'resolution', RESOLUTION)
    for (const labels of [NEURONS, CLEFTS]) {
      this.#createVolume(labels, UINT64, size)
      this.#writeAttribute(labels, 'resolution', RESOLUTION)
      this.#writeAttribute(labels, 'offset', [0, 0, 0])
    }
    this.#writeAttribute('/annotations', 'offset', [0, 0, 0])
  }

  /** Draws and writes, slab by slab. @returns sections done so far */
  async *writeVolumes(tissue: Tissue, [depth, height, width]: readonly number[]): AsyncGenerator<number> {
    const area = height! * width!
    const slab = Math.min(CHUNK[0]!, depth!)
    const drawn = {
      raw: new Uint8Array(slab * area),
      neuronIds: new Uint32Array(slab * area),
      clefts: new Uint32Array(slab * area),
    }
    for (let z = 0; z < depth!; z += slab) {
      const sections = Math.min(slab, depth! - z)
      for (let k = 0; k < sections; k++) {
        const [from, to] = [k * area, (k + 1) * area]
        const section: TissueSection = {
          raw: drawn.raw.subarray(from, to),
          neuronIds: drawn.neuronIds.subarray(from, to),
          clefts: drawn.clefts.subarray(from, to),
        }
        tissue.drawSection(z + k, height!, width!, section)
      }
      const shape = [sections, height!, width!]
      this.#writeSlab(RAW, z, shape, 1, (from, to, at) => this.#library.HEAPU8.set(drawn.raw.subarray(from, to), at))
      this.#writeSlab(NEURONS, z, shape, 8, (from, to, at) => {
        const words = new Uint32Array(this.#library.HEAPU8.buffer, at, 2 * (to - from)).fill(0)
        for (let i = from; i < to; i++) words[2 * (i - from)] = drawn.neuronIds[i]!
      })
      this.#writeSlab(CLEFTS, z, shape, 8, (from, to, at) => {
        const values = new BigUint64Array(this.#library.HEAPU8.buffer, at, to - from).fill(NO_CLEFT)
        for (let i = from; i < to; i++) if (drawn.clefts[i] !== 0) values[i - from] = BigInt(drawn.clefts[i]!)
      })
      await setImmediate()
      yield z + sections
    }
  }

  writeAnnotations(synapses: ReturnType<Tissue['synapsesIn']>): void {
    const points = synapses.flatMap(({ pre, post }) => [pre, post])
    const ids = points.map((_, i) => BigInt(i + 1))
    const partners = ids.filter((_, i) => i % 2 === 0).flatMap((id) => [id, id + 1n])
    const locations = points.flatMap((point) => point.map((value, axis) => value * RESOLUTION[axis]!))
    this.#writeList('/annotations/ids', UINT64, [points.length], BigUint64Array.from(ids))
    this.#writeList('/annotations/locations', FLOAT64, [points.length, 3], Float64Array.from(locations))
    this.#writeTexts(
      '/annotations/types',
      points.map((_, i) => (i % 2 === 0 ? 'presynaptic_site' : 'postsynaptic_site')),
    )
    this.#writeList(
      '/annotations/presynaptic_site/partners',
      UINT64,
      [synapses.length, 2],
      BigUint64Array.from(partners),
    )
    this.#writeList('/annotations/comments/target_ids', UINT64, [0], new BigUint64Array(0))
    this.#writeTexts('/annotations/comments/comments', [])
  }

  close(): void {
    this.#call((hdf5) => hdf5.flush(this.#file))
    this.#call((hdf5) => hdf5.close_file(this.#file))
  }

  /** Closes without asking whether that worked: the file is thrown away. */
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

  /** Empty, and then enlarged: HDF5's own creation would want all voxels at once. */
  #createVolume(path: string, kind: Kind, size: readonly number[]): void {
    const chunks = size.map((length, axis) => BigInt(Math.min(length, CHUNK[axis]!)))
    const empty = {
      ...describe(kind, [0, 0, 0]),
      maxshape: size.map(BigInt),
      chunks,
      compression: 1,
      compression_opts: [4],
    }
    this.#call((hdf5) => hdf5.create_dataset(this.#file, path, BigInt(scratchMemory(this.#library, 8)), empty))
    this.#call((hdf5) => hdf5.resize_dataset(this.#file, path, size.map(BigInt)))
  }

  /** One row of chunks at a time, so that HDF5's heap stays small. */
  #writeSlab(
    path: string,
    z: number,
    [sections, height, width]: readonly number[],
    bytes: number,
    fill: (from: number, to: number, at: number) => void,
  ): void {
    for (let y = 0; y < height!; y += CHUNK[1]!) {
      const rows = Math.min(CHUNK[1]!, height! - y)
      const pointer = scratchMemory(this.#library, sections! * rows * width! * bytes)
      for (let k = 0; k < sections!; k++) {
        const from = (k * height! + y) * width!
        fill(from, from + rows * width!, pointer + k * rows * width! * bytes)
      }
      const count = [sections!, rows, width!].map(BigInt)
      const offset = [z, y, 0].map(BigInt)
      this.#call((hdf5) => hdf5.set_dataset_data(this.#file, path, count, offset, [1n, 1n, 1n], BigInt(pointer)))
    }
  }

  #writeList(path: string, kind: Kind, shape: readonly number[], data: BigUint64Array | Float64Array): void {
    const pointer = this.#copyIn(data)
    this.#call((hdf5) => hdf5.create_dataset(this.#file, path, pointer, describe(kind, shape)))
  }

  #writeTexts(path: string, texts: readonly string[]): void {
    this.#call((hdf5) => hdf5.create_vlen_str_dataset(this.#file, path, texts, describe(TEXT, [texts.length])))
  }

  #writeAttribute(path: string, name: string, values: readonly number[]): void {
    const pointer = this.#copyIn(Float64Array.from(values))
    this.#call((hdf5) => hdf5.create_attribute(this.#file, path, name, pointer, describe(FLOAT64, [values.length])))
  }

  #copyIn(data: BigUint64Array | Float64Array): bigint {
    const pointer = scratchMemory(this.#library, Math.max(8, data.byteLength))
    this.#library.HEAPU8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), pointer)
    return BigInt(pointer)
  }
}

const RAW = '/volumes/raw'
const NEURONS = '/volumes/labels/neuron_ids'
const CLEFTS = '/volumes/labels/clefts'

/** HDF5's H5F_ACC_TRUNC. */
const CREATE = 2

function describe(kind: Kind, shape: readonly number[]): Hdf5NewDataset {
  const dims = shape.map(BigInt)
  return {
    ...kind,
    shape: dims,
    maxshape: dims,
    chunks: null,
    compression: 0,
    compression_opts: [],
    track_order: false,
  }
}

/** HDF5 stamps each dataset with the time of its last change; without those, equal samples are equal files. */
async function clearTimes(path: string): Promise<void> {
  const file = await Hdf5File.open(path)
  let stamps: number[]
  try {
    const datasets = file.entriesBelow('', Number.POSITIVE_INFINITY).filter(({ kind }) => kind === 'array')
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
    // A version and three spare bytes come before the seconds; headers of this kind have no checksum.
    for (const position of stamps) writeSync(fd, new Uint8Array(4), 0, 4, position + 4)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
