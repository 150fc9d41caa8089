import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { countElements, showCoordinate } from '../../core/geometry/coordinate.ts'
import { stepLimit } from '../files/encoded-limit.ts'
import { canDecode } from './chunks/decode-filters.ts'
import type { Hdf5Filter } from './library.ts'

/** Filters of this build of HDF5, by their usual names. */
const READABLE: Readonly<Record<number, string>> = {
  1: 'gzip', 2: 'shuffle', 3: 'fletcher32', 4: 'szip', 5: 'nbit', 6: 'scaleoffset',
} // biome-ignore format: a table

/** Other filters that occur in files, by registered number. */
const KNOWN: Readonly<Record<number, string>> = {
  305: 'lzo', 307: 'bzip2', 32000: 'lzf', 32001: 'blosc', 32004: 'lz4', 32008: 'bitshuffle', 32013: 'zfp',
  32015: 'zstd', 32017: 'sz', 32018: 'fcidecomp', 32019: 'jpeg', 32024: 'sz3', 32026: 'blosc2',
} // biome-ignore format: a table

/** `['shuffle', 'gzip:4']`. */
export const showFilters = (filters: readonly Hdf5Filter[]): readonly string[] =>
  filters.map(({ id, name, cd_values: [level] }) =>
    id === 1 && level !== undefined ? `gzip:${level}` : nameOf(id, name),
  )

const nameOf = (id: number, name: string): string => READABLE[id] ?? KNOWN[id] ?? (name || `filter ${id}`)

/** How the chunks of a dataset with these filters are decoded; undefined if they can't be. */
export function decoderOf(filters: readonly Hdf5Filter[]): 'library' | 'bellis' | undefined {
  if (filters.every(({ id }) => READABLE[id] !== undefined)) return 'library'
  return canDecode(filters) ? 'bellis' : undefined
}

/** Refuses filters that HDF5 itself lacks, for datasets behind others. @throws ConfigError `UNSUPPORTED_CODEC` */
export function assertLibraryFilters(path: string, filters: readonly Hdf5Filter[], prefix: string): void {
  if (decoderOf(filters) !== 'library') throw unreadable(path, filters, prefix)
}

/**
 * Refuses filters that can't be decoded: HDF5 would fail at the first chunk.
 * @param prefix what the dataset is to the one that is opened @default nothing: it is that one
 * @throws ConfigError `UNSUPPORTED_CODEC`
 */
export function assertReadableFilters(path: string, filters: readonly Hdf5Filter[], prefix = ''): void {
  if (decoderOf(filters) === undefined) throw unreadable(path, filters, prefix)
}

/** nbit and scaleoffset: among their settings are the number of elements of a chunk and the size of one, for which the library takes memory. */
const SIZED = new Set([5, 6])

/** HDF5 decodes a chunk in its heap of 2 GiB, beside other things. */
const LARGEST_CHUNK_BYTES = 256 * 2 ** 20

/**
 * Refuses chunks, and filters, for which too much memory would be taken.
 * @param prefix what the dataset is to the one that is opened, with a space @default nothing: it is that one
 * @throws ConfigError `UNSUPPORTED` for encoded chunks that are too large; InfrastructureError `CORRUPT_DATA` for filters of far larger chunks
 */
export function assertFilterSizes(
  path: string,
  filters: readonly Hdf5Filter[],
  chunkShape: readonly number[],
  elementBytes: number,
  prefix = '',
): void {
  const chunkBytes = countElements(chunkShape) * BigInt(elementBytes)
  if (filters.length > 0 && chunkBytes > LARGEST_CHUNK_BYTES)
    throw tooLarge(`${prefix}"${path}"`, chunkShape, chunkBytes)
  for (const { id, name, cd_values: settings } of filters) {
    const bytes = SIZED.has(id) ? BigInt(settings[2] ?? 0) * BigInt(settings[4] ?? 0) : 0n
    if (bytes <= BigInt(stepLimit(Number(chunkBytes)))) continue
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${prefix}"${path}" is corrupt: its filter ${nameOf(id, name)} is for chunks of ${bytes} bytes, and they have ${chunkBytes}; copy the file again.`,
    )
  }
}

const tooLarge = (what: string, chunkShape: readonly number[], bytes: bigint): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${what} has compressed chunks of ${showCoordinate(chunkShape)} voxels, ${bytes} bytes; chunks of at most ${LARGEST_CHUNK_BYTES} bytes can ` +
      `be read. Rewrite it once with smaller chunks: h5repack -l CHUNK=${chunkShape.map((n) => Math.min(n, 64)).join('x')} old.h5 new.h5`,
  )

/** What to do about a filter that Bellis lacks. */
export const REWRITE_ONCE = 'Rewrite it once, where that filter is installed: h5repack -f GZIP=4 old.h5 new.h5'

function unreadable(path: string, filters: readonly Hdf5Filter[], prefix: string): ConfigError {
  const foreign = filters.filter((filter) => READABLE[filter.id] === undefined && !canDecode([filter]))
  // Each can be decoded, but not together: one needs HDF5's own code, the other Bellis's.
  const unknown =
    foreign.length > 0 ? foreign : filters.filter((filter) => READABLE[filter.id] === undefined || !canDecode([filter]))
  const names = unknown.map(({ id, name }) => `"${nameOf(id, name)}" (HDF5 filter ${id})`).join(' and ')
  const own = 'lzf, blosc, blosc2, bitshuffle, lz4, zstd or bzip2 without the last three of those'
  // The library itself reads what lies behind other datasets.
  const more = prefix === '' ? `, or ${own}` : ' behind it'
  return new ConfigError(
    'UNSUPPORTED_CODEC',
    `${prefix}${prefix === '' ? '' : ' '}"${path}" is stored with ${names}; expected gzip, shuffle, fletcher32, szip, nbit or scaleoffset${more}. ` +
      REWRITE_ONCE,
  )
}
