import { ConfigError } from '../../core/errors.ts'
import type { Hdf5Filter } from './library.ts'

/** Filters of this build of HDF5, by their usual names. */
const READABLE: Readonly<Record<number, string>> = {
  1: 'gzip', 2: 'shuffle', 3: 'fletcher32', 4: 'szip', 5: 'nbit', 6: 'scaleoffset',
} // biome-ignore format: a table

/** Filters that occur in files but that this build lacks, by registered number, for messages. */
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

/**
 * Refuses filters that are not compiled in: HDF5 would fail at the first chunk.
 * @param prefix what the dataset is to the one that is opened @default nothing: it is that one
 * @throws ConfigError `UNSUPPORTED_CODEC`
 */
export function assertReadableFilters(path: string, filters: readonly Hdf5Filter[], prefix = ''): void {
  const unknown = filters.filter(({ id }) => READABLE[id] === undefined)
  if (unknown.length === 0) return
  const names = unknown.map(({ id, name }) => `"${nameOf(id, name)}" (HDF5 filter ${id})`).join(' and ')
  throw new ConfigError(
    'UNSUPPORTED_CODEC',
    `${prefix}${prefix === '' ? '' : ' '}"${path}" is stored with ${names}; expected gzip, shuffle, fletcher32, szip, nbit or scaleoffset. Rewrite it once, ` +
      'where that filter is installed: h5repack -f GZIP=4 old.h5 new.h5',
  )
}
