import { existsSync, statSync } from 'node:fs'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { showCoordinate } from '../../core/geometry/coordinate.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { withBytes } from '../ranges/absent-bytes.ts'
import { assertFilterSizes, assertLibraryFilters } from './filters.ts'
import type { FileAccess, Hdf5File } from './hdf5-file.ts'
import type { Hdf5Metadata } from './library.ts'
import { type Location, locateObject, MAX_HOPS } from './locate-object.ts'
import { isNumbered, namedFile, numberedName, rawFile } from './named-files.ts'
import { externalParts } from './object-header.ts'
import { type Selection, type VirtualMapping, virtualMappings } from './virtual-mappings.ts'

/** How sources are read. */
export interface SourceAccess extends FileAccess {
  /** Takes over a file, which has to stay open as long as the dataset is read. */
  readonly keep: (file: Hdf5File) => void
}

/**
 * Checks where the voxels of a dataset come from, if not from its own file. HDF5 itself reads the fill value, and says nothing, for
 * a source of a virtual dataset that is missing; reads zeros where a file with raw data has ended; and reads any file that is named.
 * @param path as users write it
 * @throws ConfigError `NO_SUCH_FILE`, `NO_SUCH_DATASET`, `SHAPE_MISMATCH`, `UNSUPPORTED`, `UNSUPPORTED_CODEC`; InfrastructureError `CORRUPT_DATA`
 */
export async function assertSources(path: string, location: Location, access: SourceAccess, depth = 0): Promise<void> {
  const { file, path: real } = location
  // HDF5 asks sources how large they are, and does not say which of them it can't read: they come first.
  const all = await withBytes(() => file.inspectHeader(real, virtualMappings))
  const seen = new Set<string>()
  const assertEach = async (sources: readonly Pick<VirtualMapping, 'file' | 'dataset'>[]) => {
    if (sources.length > 0 && depth === MAX_HOPS) {
      throw new ConfigError(
        'UNSUPPORTED',
        `"${path}" is a virtual dataset of more than ${MAX_HOPS} others, one in the other.`,
      )
    }
    for (const { file: name, dataset } of sources) {
      const key = keyOf({ file: name, dataset })
      if (seen.has(key)) continue
      seen.add(key)
      const mappings = all.filter((mapping) => keyOf(mapping) === key)
      await assertSource(path, location, { name, dataset, mappings }, access, depth)
    }
  }
  await assertEach(all)
  const metadata = await withBytes(() => metadataOf(file, real))
  await withBytes(() => assertRawFiles(path, location, metadata, access.external))
  // Of mappings whose selections can't be read here, HDF5 knows the names.
  const named = metadata.virtual_sources ?? []
  await assertEach(named.map((source) => ({ file: source.file_name, dataset: source.dset_name })))
}

const metadataOf = (file: Hdf5File, path: string): Hdf5Metadata =>
  file.call((hdf5, id) => hdf5.get_dataset_metadata(id, `/${path}`))

const keyOf = ({ file, dataset }: Pick<VirtualMapping, 'file' | 'dataset'>): string => JSON.stringify([file, dataset])

/** Checks the files that have the raw data of a dataset. */
function assertRawFiles(
  path: string,
  { file, path: real }: Location,
  { total_size: elements, size }: Hdf5Metadata,
  external: ExternalFiles,
): void {
  let left = elements * size
  for (const { name, offset, length } of file.inspectHeader(real, externalParts)) {
    if (file.bytes.isRemote) {
      throw new ConfigError(
        'UNSUPPORTED',
        `"${path}" has its voxels in another file ("${name}"), which is read from disks only; download both files first.`,
      )
    }
    external.assertAllowed(rawFile(name), `"${path}" has its voxels in another file, which`)
    if (!existsSync(rawFile(name))) {
      throw new ConfigError(
        'NO_SUCH_FILE',
        `"${path}" has its voxels in the file "${name}", which is missing; restore it.`,
      )
    }
    const wanted = offset + Math.min(left, length)
    const found = statSync(rawFile(name)).size
    if (found < wanted) {
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `"${path}" has its voxels in the file "${name}", which is too short: expected ${wanted} bytes, got ${found}; restore it, or, ` +
          `if the rest was never written, add zeros: truncate -s ${wanted} "${name}"`,
      )
    }
    left -= Math.min(left, length)
  }
}

interface Source {
  readonly name: string
  readonly dataset: string
  readonly mappings: readonly VirtualMapping[]
}

async function assertSource(
  path: string,
  location: Location,
  { name, dataset, mappings }: Source,
  access: SourceAccess,
  depth: number,
): Promise<void> {
  const { file } = location
  const what = `"${path}" is a virtual dataset, and its source`
  const numbered = isNumbered(name) || isNumbered(dataset)
  if (file.bytes.isRemote && numbered) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${what} files are counted up ("${name}"), which is read from disks only; download all files first.`,
    )
  }
  for (let number = 0; ; number++) {
    const source = { name: numberedName(name, number), dataset: numberedName(dataset, number), mappings }
    // "." is the file itself.
    const container = name === '.' ? file.container : namedFile(file.container, source.name, access.external, what)
    if (container === undefined) {
      // HDF5 counts up to the first one that is missing.
      if (numbered) return
      throw new ConfigError('NO_SUCH_FILE', `${what} file "${source.name}" is missing; restore it.`)
    }
    try {
      await assertOne(path, container, source, access, depth)
    } catch (error) {
      if (numbered && error instanceof ConfigError && error.code === 'NO_SUCH_DATASET') return
      throw error
    }
    if (!numbered) return
  }
}

async function assertOne(
  path: string,
  container: string,
  { dataset, mappings }: Source,
  access: SourceAccess,
  depth: number,
): Promise<void> {
  const what = `"${path}" is a virtual dataset, and its source`
  const source = await locateSource(what, container, dataset, access)
  try {
    const shown = source.file.path
    if (source.kind !== 'array')
      throw new ConfigError('NO_SUCH_DATASET', `${what} "${dataset}" in "${shown}" is not a dataset.`)
    const inner = `${shown}/${source.path}`
    const metadata = await withBytes(() => metadataOf(source.file, source.path))
    assertLargeEnough(`${what} "${inner}"`, metadata, mappings)
    const filters = await withBytes(() =>
      source.file.call((hdf5, id) => hdf5.get_dataset_filters(id, `/${source.path}`)),
    )
    const prefix = `"${path}" is a virtual dataset; its source`
    assertLibraryFilters(inner, filters, prefix)
    if (metadata.chunks !== null) assertFilterSizes(inner, filters, metadata.chunks, metadata.size, `${prefix} `)
    await assertSources(path, source, access, depth + 1)
  } finally {
    // HDF5 opens files on disks by itself, but finds others only while they are open.
    if (source.file.bytes.isRemote) access.keep(source.file)
    else source.file.release()
  }
}

/** @throws ConfigError `SHAPE_MISMATCH` for a source that has not all voxels that are read from it */
function assertLargeEnough(what: string, { shape }: Hdf5Metadata, mappings: readonly VirtualMapping[]): void {
  const extent = shape ?? []
  for (const { source, target } of mappings) {
    const expected = missingExtent(extent, source, target)
    if (expected === undefined) continue
    throw new ConfigError(
      'SHAPE_MISMATCH',
      `${what} has the shape ${showCoordinate(extent)}; expected ${expected}; restore the file, or make the virtual dataset again.`,
    )
  }
}

/** What a source lacks; undefined if it has all voxels that are selected. */
function missingExtent(extent: readonly number[], source: Selection, target: Selection): string | undefined {
  if (source.kind === 'all') {
    const count = extent.reduce((product, length) => product * length, 1)
    return target.kind === 'boxes' && target.count !== count ? `${target.count} voxels` : undefined
  }
  if (source.kind === 'unknown') return undefined
  const fits = source.end.length === extent.length && source.end.every((end, axis) => end <= extent[axis]!)
  return fits ? undefined : `at least ${showCoordinate(source.end)}`
}

async function locateSource(what: string, container: string, dataset: string, access: SourceAccess): Promise<Location> {
  try {
    return await locateObject(container, dataset, access)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.code, `${what} can't be read: ${error.message}`, { cause: error })
  }
}
