import { readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { realPath } from '../adapters/files/real-path.ts'
import { FLAT_KINDS, flatFormat, TELLING_BYTES } from '../adapters/flat/flat-format.ts'
import { hdf5Format } from '../adapters/hdf5/hdf5-format.ts'
import { n5Format } from '../adapters/n5/n5-format.ts'
import { isObjectAddress, parseObjectAddress, showObjectAddress } from '../adapters/objects/object-address.ts'
import { isPng, openPng, PNG_SUFFIX, pngFormat } from '../adapters/png/png-format.ts'
import { precomputedFormat } from '../adapters/precomputed/precomputed-format.ts'
import { isPattern, SLICE_SUFFIX, stackFormat } from '../adapters/stack/stack-format.ts'
import { isTiff, openTiff, TIFF_SUFFIX, tiffFormat } from '../adapters/tiff/tiff-format.ts'
import { zarrFormat } from '../adapters/zarr/zarr-format.ts'
import { ConfigError } from '../core/errors.ts'
import { splitOverride } from '../core/geometry/placement-override.ts'
import type { WorldUnit } from '../core/geometry/world-unit.ts'
import { errnoOf } from '../core/system-errors.ts'
import { isAddress } from '../core/text/address.ts'
import type { ArrayStore } from '../ports/array-store.ts'
import type { ArrayFormat, OpenArrayOptions } from '../ports/chunked-array.ts'
import { type CreateVolumeOptions, createOptionsOf } from '../runtime/volumes/create-volume.ts'
import { type VolumeArray, volumeArray } from '../runtime/volumes/volume-array.ts'
import { assertHeld, currentLease } from '../runtime/worker/running-block.ts'
import { describeOtherFile, describeOtherFolder, describeOtherName, startOf } from './other-formats.ts'
import { hdf5Files } from './packed/hdf5-files.ts'
import { PackedArrays } from './packed/packed-arrays.ts'
import { finishedPath, isPacked, isUnfinished, packedFile, withFileNamed } from './packed/packed-file.ts'
import { zipFiles } from './packed/zip-files.ts'
import { placedArray } from './placed-array.ts'

/** Whether links may lead out of datasets. Read at each opening: the command line sets it, and workers that it starts inherit it. */
export const allowExternal = () => process.env.BELLIS_ALLOW_EXTERNAL === '1'
/** Whether chunks of the fill value alone are written. Read at each opening, like `allowExternal`. */
const writesEmpty = () => process.env.BELLIS_WRITE_EMPTY_CHUNKS === '1'
const zarr = zarrFormat({ allowExternal, writesEmpty })
const n5 = n5Format({ allowExternal, writesEmpty })
const precomputed = precomputedFormat({ allowExternal, writesEmpty })
const hdf5 = hdf5Format({ allowExternal })
const flat = flatFormat({ allowExternal })
const tiff = tiffFormat()
const png = pngFormat()
const stack = stackFormat(
  async (path, check) => (PNG_SUFFIX.test(path) ? openPng(path, { check }) : openTiff(path, { check })),
  { allowExternal },
)

/** Arrays of files that are written at the end of a run. */
export const packedArrays = new PackedArrays({ zip: zipFiles, hdf5: hdf5Files }, zarr)

/** The parts of a dataset's path. */
export interface DatasetPath {
  readonly format: ArrayFormat
  readonly container: string
  /** The path inside the container, with `/` between names; '' for the container itself. */
  readonly inner: string
}

const SUFFIXES: readonly (readonly [RegExp, ArrayFormat])[] = [
  [/\.(zarr|zip|ozx)$/i, zarr],
  [/\.n5$/i, n5],
  [/\.precomputed$/i, precomputed],
  [/\.(hdf|hdf5|h5|ims)$/i, hdf5],
  [TIFF_SUFFIX, tiff],
  [PNG_SUFFIX, png],
  ...FLAT_KINDS.map(({ suffix }) => [suffix, flat] as const),
]

/**
 * Parses a path such as `sample.hdf/volumes/raw`. The container is the first part with a known suffix. If there is none, the
 * format is detected from the file or folder itself.
 * @throws ConfigError `UNKNOWN_FORMAT`, `UNSUPPORTED` (DICOM and other formats that are known but not read), `INVALID_CONFIG` for a path with a NUL character
 */
export function parseDatasetPath(path: string): DatasetPath {
  if (path.includes('\0')) {
    throw new ConfigError('INVALID_CONFIG', `${path}: expected a path without NUL characters.`)
  }
  // In an address, a question mark starts the query.
  const isStack = isAddress(path) ? path.includes('*') : isPattern(path) && statOf(path) === undefined
  if (SLICE_SUFFIX.test(path) && isStack) {
    return { format: stack, container: path, inner: '' }
  }
  const [, address, query = ''] = /^(https?:\/\/[^?]*)(\?.*)$/i.exec(path) ?? [undefined, path]
  const parts = (address as string).replace(/\/+$/, '').split('/')
  for (const [index, part] of parts.entries()) {
    const format = SUFFIXES.find(([suffix]) => suffix.test(part))?.[1]
    if (format === undefined) continue
    const found = split(parts, index + 1, format)
    return { ...found, container: found.container + query }
  }
  if (isAddress(path)) {
    refuse(describeOtherName(address as string))
    return { format: zarr, container: path.replace(/\/+$/, ''), inner: '' }
  }
  for (let length = parts.length; length > 0; length--) {
    const found = formatOf(parts.slice(0, length).join('/') || '/')
    if (found !== undefined) return split(parts, length, found)
  }
  if (statOf(path)?.isDirectory()) {
    const names = readdirSync(path)
    if (names.some((name) => SLICE_SUFFIX.test(name))) return { format: stack, container: path, inner: '' }
    refuse(describeOtherFolder(path, names))
  }
  throw new ConfigError(
    'UNKNOWN_FORMAT',
    `${path}: expected a file or folder that ends in .zarr, .n5, .precomputed, .hdf, .h5 or .hdf5, followed by the path inside it, such as data.zarr/volumes/raw; a file that ends in .tif, .png, .nii, .mrc, .nrrd, .mhd or .npy; or a folder of slices.`,
  )
}

/**
 * Where a dataset is: as {@link parseDatasetPath}, but in the folder beside the file while a run has not written that yet.
 * @throws what `parseDatasetPath` throws
 */
export function findDataset(path: string): DatasetPath {
  const named = parseDatasetPath(path)
  const file = packedFile(named)
  return file !== undefined && isUnfinished(file)
    ? { format: zarr, container: file.unfinished, inner: file.inner }
    : named
}

/** The file in which an array is, if that was written at the end of a run. @param path as an array has it */
export function packedFileOf(path: string) {
  const file = packedFile(parseDatasetPath(path))
  return file !== undefined && isPacked(file) ? file : undefined
}

function split(parts: readonly string[], length: number, format: ArrayFormat): DatasetPath {
  return { format, container: parts.slice(0, length).join('/'), inner: parts.slice(length).filter(Boolean).join('/') }
}

function formatOf(path: string): ArrayFormat | undefined {
  if (statOf(path)?.isFile()) {
    const start = startOf(path, TELLING_BYTES)
    if (FLAT_KINDS.some(({ matches }) => matches(start))) return flat
    if (isTiff(start)) return tiff
    if (isPng(start)) return png
    refuse(describeOtherFile(path, start))
    return hdf5
  }
  const isZarr = ['zarr.json', '.zarray', '.zgroup'].some((name) => statOf(join(path, name))?.isFile())
  if (isZarr) return zarr
  if (statOf(join(path, 'attributes.json'))?.isFile()) return n5
  return statOf(join(path, 'info'))?.isFile() ? precomputed : undefined
}

/** @throws ConfigError `UNSUPPORTED` for a description of what can't be read */
function refuse(what: string | undefined): void {
  if (what !== undefined) throw new ConfigError('UNSUPPORTED', what)
}

/** @returns undefined if nothing can be there */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (['ENAMETOOLONG', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}

/** Opens and creates arrays by path, in all formats that Bellis supports. */
export const arrayStore: ArrayStore = {
  async open(path, options) {
    const { path: bare, override } = splitOverride(path)
    const { format, container, inner } = findDataset(bare)
    const array = await withFileNamed(format.open(container, inner, options))
    if (override === undefined) return array
    try {
      return placedArray(array, override)
    } catch (error) {
      await array[Symbol.asyncDispose]()
      throw error
    }
  },
  async create(path, options) {
    assertNoOverride(path)
    const named = parseDatasetPath(path)
    const file = packedFile(named)
    if (file !== undefined) return packedArrays.create(file, options)
    return named.format.create(named.container, named.inner, options)
  },
  async planCreate(path, options) {
    assertNoOverride(path)
    const named = parseDatasetPath(path)
    const file = packedFile(named)
    if (file !== undefined) return packedArrays.planCreate(file, options)
    return named.format.planCreate(named.container, named.inner, options)
  },
  canonicalPath(path) {
    if (isAddress(path)) return canonicalAddress(path)
    return finishedPath(realPath(path))
  },
}

/** Keys of object stores have no empty names. */
const canonicalAddress = (path: string): string =>
  isObjectAddress(path) ? showObjectAddress(parseObjectAddress(path)) : path.replace(/\/+$/, '')

/** @throws ConfigError `INVALID_CONFIG` for a new array: whoever opens it would look for another one, by the path before the `#` */
function assertNoOverride(path: string): void {
  const { path: bare, override } = splitOverride(path)
  if (override === undefined) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `${path}: an output has the placement of what it is made from; write to ${bare}, and give the placement to the input.`,
  )
}

/** For whom a process writes arrays. */
export interface ArrayOwner {
  /** The id in the marks of the run. */
  readonly id: string
  /** Whether the leases of this process are those of the run: those of a program are its worker's, who ends it when a block is taken. */
  readonly hasOwnLeases: boolean
}

/** The runs for which alone this process may write arrays. */
const owners = new Map<string, ArrayOwner>()

/**
 * From now on, this process writes these arrays only while they are marked as those of the run for which it does blocks, however it opens
 * them.
 */
export function writeFor(owner: ArrayOwner, outputs: readonly string[]): void {
  for (const path of outputs) owners.set(arrayStore.canonicalPath(path), owner)
}

/** What keeps this process from writing an array that no longer belongs to its run. */
function guardOfRuns(): Pick<OpenArrayOptions, 'owner' | 'lease' | 'owns'> {
  if (owners.size === 0) return {}
  let key = ''
  return {
    owns(folder) {
      key = arrayStore.canonicalPath(folder)
      return owners.has(key)
    },
    owner() {
      assertHeld()
      return owners.get(key)?.id ?? ''
    },
    lease: () => (owners.get(key)?.hasOwnLeases ? currentLease() : undefined),
  }
}

/**
 * Opens a dataset: `openArray('sample.hdf/volumes/raw')`.
 * @param options.mode 'r' reads, 'r+' also writes. @default 'r'
 * @param options.unit the unit of its coordinates; a finer one is used if the voxel size requires it. @default 'nm'
 * @param options.allowExternal whether files outside the dataset's own folder may be read, if links or attributes lead there.
 * @default whether the variable BELLIS_ALLOW_EXTERNAL is 1
 * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET`, `NOT_A_DATASET`, `UNKNOWN_FORMAT`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`, `INVALID_METADATA`
 */
export async function openArray(
  path: string,
  options: { readonly mode?: 'r' | 'r+'; readonly unit?: WorldUnit; readonly allowExternal?: boolean } = {},
): Promise<VolumeArray> {
  const { unit = 'nm', ...others } = options
  const guard = options.mode === 'r+' ? guardOfRuns() : {}
  return volumeArray(await arrayStore.open(path, { ...others, ...guard }), unit)
}

/**
 * Creates a dataset and opens it for reading and writing: `createArray('out.zarr/raw', { shape, dtype: 'uint8' })`.
 * @throws ConfigError `DATASET_EXISTS`, `INVALID_CONFIG`, `UNSUPPORTED`; InfrastructureError `DISK_FULL`, `IO_ERROR`
 */
export async function createArray(path: string, options: CreateVolumeOptions): Promise<VolumeArray> {
  const file = isAddress(path) ? undefined : packedFile(parseDatasetPath(path))
  if (file !== undefined) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${file.path} would be written at the end of a run; write to a folder such as out.zarr, and convert that: bellis convert out.zarr ${file.path}`,
    )
  }
  return volumeArray(
    await arrayStore.create(path, createOptionsOf(path, options)),
    options.unit ?? options.like?.unit ?? 'nm',
  )
}
