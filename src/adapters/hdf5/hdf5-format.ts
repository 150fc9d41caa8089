import { BYTES_PER_ELEMENT, type DType, type Scalar, typedArray } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { type Coordinate, coordinate } from '../../core/geometry/coordinate.ts'
import { soundAxes } from '../../core/geometry/sound-axes.ts'
import { splitQuery } from '../../core/text/address.ts'
import type { ArrayFormat } from '../../ports/chunked-array.ts'
import { ExternalFiles } from '../files/external-files.ts'
import { AbsentBytes, withBytes } from '../ranges/absent-bytes.ts'
import type { RangeOptions } from '../ranges/open-bytes.ts'
import { readAttributes } from './attributes.ts'
import { RawChunks } from './chunks/raw-chunks.ts'
import { assertSources } from './dataset-sources.ts'
import { assertFilterSizes, assertReadableFilters, decoderOf, showFilters } from './filters.ts'
import { Hdf5Array, type Hdf5Dataset } from './hdf5-array.ts'
import { entriesBelow, othersBelow, showDatasets } from './hdf5-entries.ts'
import { failed, type Hdf5File } from './hdf5-file.ts'
import { fetchXmlBeside } from './layouts/big-data-viewer.ts'
import { croppedArray } from './layouts/cropped-array.ts'
import { knownLayout } from './layouts/known-layout.ts'
import type { ProgramLayout } from './layouts/program-layout.ts'
import { type Hdf5Metadata, scratchMemory } from './library.ts'
import { type Location, locateObject } from './locate-object.ts'
import { fillValueBytes, findMessage, lacksFillValue, MESSAGE, parseStoredType } from './object-header.ts'
import { axesOf } from './placement.ts'
import type { OnePiece } from './ranges/one-piece.ts'
import { contiguousStart, storedPlain } from './ranges/stored-plain.ts'
import { dtypeOfStored, scalarOf } from './stored-dtype.ts'

export interface Hdf5FormatOptions {
  /** Most bytes of decoded chunks to keep, for each opened array. @default 64 MiB */
  readonly cacheBytes?: number
  /** Whether files outside the folder of an HDF5 file may be read, if it names them. @default no */
  readonly allowExternal?: () => boolean
  /** How files behind addresses are read. */
  readonly ranges?: RangeOptions
}

/** Slabs in which a dataset without chunks is offered. */
const SLAB_BYTES = 2 ** 20

/**
 * HDF5 files, for reading (see `writeArrays` for writing): contiguous, compact, chunked and virtual datasets of integers, IEEE floats and h5py's bool.
 * Placement is CREMI's and funlib's (see `axesOf`), or that of Imaris and BigDataViewer (see `knownLayout`).
 */
export function hdf5Format(options: Hdf5FormatOptions = {}): ArrayFormat {
  const { cacheBytes = 64 * 2 ** 20, allowExternal = () => false, ranges = {} } = options
  const accessTo = (container: string, isAllowed = allowExternal()) => ({
    external: new ExternalFiles(isAllowed ? undefined : container),
    ranges,
  })
  return {
    name: 'hdf5',
    async open(container, inner, { mode = 'r', allowExternal: isAllowed } = {}) {
      if (mode !== 'r') throw readOnly(container)
      const access = accessTo(container, isAllowed)
      const location = await locateObject(container, inner, access)
      const path = showPath(container, inner)
      const sources: Hdf5File[] = []
      try {
        if (location.kind === 'array') {
          await assertSources(path, location, { ...access, keep: (file) => void sources.push(file) })
        }
        const xml = await fetchXmlBeside(location.file, location.path, ranges)
        const { layout, ...dataset } = await withBytes(() =>
          describeDataset(container, inner, location, { cacheBytes, external: access.external, xml }),
        )
        await withBytes(() => assertHasVoxels(dataset))
        const array = new Hdf5Array({ ...dataset, sources })
        const isCropped = layout?.shape?.some((length, axis) => length < (array.shape[axis] as number)) ?? false
        return isCropped ? croppedArray(array, layout?.shape as readonly number[]) : array
      } catch (error) {
        for (const file of [location.file, ...sources]) file.release()
        throw failed(path, 'opened', error)
      }
    },
    async create(container) {
      throw readOnly(container)
    },
    async planCreate(container) {
      throw readOnly(container)
    },
    async list(container, inner, { limit = Number.POSITIVE_INFINITY } = {}) {
      const { file, path, kind } = await locateObject(container, inner, accessTo(container))
      try {
        return kind === 'group' ? await withBytes(() => entriesBelow(file, path, limit)) : []
      } catch (error) {
        throw failed(showPath(container, inner), 'listed', error)
      } finally {
        file.release()
      }
    },
  }
}

/**
 * All that a file has besides some datasets and plain groups: other datasets of any type, links that lead nowhere, named types, and the
 * attributes of groups.
 */
export async function othersInHdf5(container: string, inner: readonly string[]): Promise<readonly string[]> {
  const access = { external: new ExternalFiles(container), ranges: {} }
  const { file } = await locateObject(container, '', access)
  try {
    return await withBytes(() => othersBelow(file, new Set(inner)))
  } catch (error) {
    throw failed(container, 'listed', error)
  } finally {
    file.release()
  }
}

const readOnly = (container: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `"${container}" is an HDF5 file, which is written once, by a run; write to a new one, or to a path such as out.zarr/name.`,
  )

/** Without the query of an address. */
function showPath(container: string, inner: string): string {
  const { place } = splitQuery(container)
  return inner === '' ? place : `${place}/${inner}`
}

/** Checks and describes a dataset before it is read. */
function describeDataset(
  container: string,
  inner: string,
  location: Location,
  {
    cacheBytes,
    external,
    xml,
  }: { readonly cacheBytes: number; readonly external: ExternalFiles; readonly xml: string | undefined },
): Omit<Hdf5Dataset, 'sources'> & { readonly layout: ProgramLayout | undefined } {
  const { file, path: real, kind } = location
  const path = showPath(container, inner)
  if (kind !== 'array') throw notADataset(path, location)
  const metadata = file.call((hdf5, id) => hdf5.get_dataset_metadata(id, `/${real}`))
  const shape = shapeOf(path, metadata)
  const stored = elementsOf(path, file, real, metadata)
  const layout = knownLayout(file, real, { dtype: stored.dtype, shape }, external, xml)
  const { dtype, fillValue, bigEndian } = {
    ...stored,
    ...(layout?.dtype === undefined ? {} : retyped(stored, layout.dtype)),
  }
  const filters = file.call((hdf5, id) => hdf5.get_dataset_filters(id, `/${real}`))
  assertReadableFilters(path, filters)
  const chunkShape = coordinate<'voxel'>(metadata.chunks ?? slabShape(shape, BYTES_PER_ELEMENT[dtype]))
  assertFilterSizes(path, filters, chunkShape, BYTES_PER_ELEMENT[dtype])
  const placed = axesOf(path, shape.length, readAttributes(file, real))
  const elementBytes = BYTES_PER_ELEMENT[dtype]
  const isOnlyReader = decoderOf(filters) === 'bellis'
  const raw = file.inspectHeader(real, (bytes, superblock, messages) =>
    RawChunks.of({
      file: bytes,
      superblock,
      messages,
      shape,
      chunkShape,
      elementBytes,
      bigEndian,
      filters,
      isOnlyReader,
    }),
  )
  if (isOnlyReader && raw === undefined) throw unreadableIndex(path)
  const { axes, warnings } =
    layout === undefined ? soundAxes(placed.axes) : soundAxes(layout.axes, { expectsUnits: true })
  return {
    description: {
      path,
      format: 'hdf5',
      shape,
      dtype,
      chunkShape,
      order: 'C',
      codecs: showFilters(filters),
      fillValue,
      axes,
      attributes: placed.attributes,
      warnings,
    },
    file,
    inner: real,
    encoded: filters.length > 0,
    raw,
    stored: file.bytes.isRemote ? storedPlain(file, real, { shape, chunkShape, elementBytes }) : undefined,
    onePiece: onePieceOf(file, real, { shape, elementBytes, bigEndian }),
    cacheBytes,
    layout,
  }
}

/** Where the voxels of a dataset lie, if they are in one piece of a file on a disk. */
function onePieceOf(
  file: Hdf5File,
  real: string,
  dataset: Pick<OnePiece, 'shape' | 'elementBytes' | 'bigEndian'>,
): OnePiece | undefined {
  if (file.bytes.isRemote) return undefined
  const start = file.inspectHeader(real, contiguousStart)
  return start === undefined ? undefined : { file: file.bytes, start, ...dataset }
}

/** The same bits as an element of another type of that size. */
function retyped({ dtype, fillValue }: { readonly dtype: DType; readonly fillValue: Scalar }, as: DType) {
  const one = typedArray(dtype, 1)
  one[0] = fillValue as never
  return { dtype: as, fillValue: typedArray(as, 1, one.buffer)[0] as Scalar }
}

const unreadableIndex = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `"${path}" has an index of its chunks that Bellis can't read; rewrite it once: h5repack old.h5 new.h5`,
  )

/**
 * HDF5 refuses to read a dataset that has no fill value if nothing was ever written to it.
 * @throws ConfigError `UNSUPPORTED`
 */
function assertHasVoxels({ file, inner, description: { path, shape } }: Omit<Hdf5Dataset, 'sources'>): void {
  if (shape.includes(0) || !file.inspectHeader(inner, lacksFillValue)) return
  const [count, offset] = [shape.map(() => 1n), shape.map(() => 0n)]
  const pointer = BigInt(scratchMemory(file.library, 8))
  try {
    file.call((hdf5, id) => hdf5.get_dataset_data(id, `/${inner}`, count, offset, count, pointer))
  } catch (error) {
    if (error instanceof AbsentBytes) throw error
    // Chunks that are damaged are reported with their place when they are read.
    if (!/no data can be read/.test((error as Error).message)) return
    throw new ConfigError(
      'UNSUPPORTED',
      `"${path}" has no voxels: nothing was ever written to it, and it has no fill value; write it, or create it with a fill value.`,
    )
  }
}

function notADataset(path: string, { file, path: real, kind }: Location): ConfigError {
  if (kind === 'group') return new ConfigError('NOT_A_DATASET', `"${path}" is a group; ${showDatasets(file, real)}.`)
  return new ConfigError(
    'NOT_A_DATASET',
    `"${path}" is ${kind === 'type' ? 'a named type' : 'no object that can be read'}, not a dataset.`,
  )
}

function shapeOf(path: string, { shape }: Hdf5Metadata): Coordinate<'voxel'> {
  if (shape === null || shape.length === 0) {
    const what = shape === null ? 'is empty' : 'is a single value'
    throw new ConfigError('UNSUPPORTED', `"${path}" ${what}; an array needs one axis or more.`)
  }
  return coordinate<'voxel'>(shape)
}

/** The dtype and the fill value, from the bytes of the object's header: h5wasm reports neither the bits nor the fill value. */
function elementsOf(
  path: string,
  file: Hdf5File,
  real: string,
  metadata: Hdf5Metadata,
): { dtype: DType; fillValue: Scalar; bigEndian: boolean } {
  return file.inspectHeader(real, (fd, block, messages) => {
    const type = findMessage(fd, block, messages, MESSAGE.datatype)
    if (type === undefined) {
      throw new ConfigError(
        'UNSUPPORTED',
        `"${path}" stores its type in a heap of shared messages, which Bellis can't read; rewrite it once: h5repack old.h5 new.h5`,
      )
    }
    const stored = parseStoredType(type.data)
    const known = dtypeOfStored(stored, metadata)
    if ('refused' in known) {
      throw new ConfigError(
        'UNSUPPORTED',
        `"${path}" contains ${known.refused}; arrays of integers, IEEE floats or bools can be read.`,
      )
    }
    const fill = fillValueBytes(fd, block, messages)
    const { bigEndian } = stored
    return { dtype: known.dtype, fillValue: scalarOf(fill, known.dtype, bigEndian), bigEndian }
  })
}

/** Whole rows, planes, … of about a megabyte: what lies together in a dataset without chunks. */
function slabShape(shape: readonly number[], bytesPerElement: number): number[] {
  let left = Math.max(1, Math.floor(SLAB_BYTES / bytesPerElement))
  return shape
    .toReversed()
    .map((length) => {
      const part = Math.max(1, Math.min(length, left))
      left = Math.max(1, Math.floor(left / Math.max(1, length)))
      return part
    })
    .toReversed()
}
