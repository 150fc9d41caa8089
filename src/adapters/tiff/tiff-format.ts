import { ConfigError } from '../../core/errors.ts'
import type { ArrayFormat } from '../../ports/chunked-array.ts'
import { readDirectories } from './directories.ts'
import { seriesOf } from './series.ts'
import { TiffArray } from './tiff-array.ts'
import { TiffFile } from './tiff-file.ts'

/** Names of TIFF files. */
export const TIFF_SUFFIX = /\.(tiff?|lsm|btf|tf8)$/i

/** Whether a file starts as a TIFF or BigTIFF file does. */
export const isTiff = (start: Buffer): boolean =>
  ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(start.toString('latin1', 0, 4))

/** TIFF and BigTIFF files, with the metadata of ImageJ and OME, for reading. */
export function tiffFormat(): ArrayFormat {
  return {
    name: 'tiff',
    async open(container, inner, { mode = 'r' } = {}) {
      if (mode !== 'r') throw readOnly(container)
      if (/^https?:/i.test(container)) {
        throw new ConfigError(
          'UNSUPPORTED',
          `${container} is an address, and TIFF files can only be read from disks; download the file first.`,
        )
      }
      if (inner !== '') {
        throw new ConfigError(
          'NO_SUCH_DATASET',
          `${container} contains a single array, and nothing named "${inner}"; leave the name out.`,
        )
      }
      const file = new TiffFile(container)
      try {
        const { series, images } = seriesOf(file, readDirectories(file))
        return new TiffArray(container, file, images, series)
      } catch (error) {
        file[Symbol.dispose]()
        throw error
      }
    },
    async create(container) {
      throw readOnly(container)
    },
    async planCreate(container) {
      throw readOnly(container)
    },
    async list() {
      return []
    },
  }
}

const readOnly = (path: string): ConfigError =>
  new ConfigError('UNSUPPORTED', `Bellis writes Zarr; "${path}" can only be read. Use a path such as out.zarr/name.`)
