import type { ArrayFormat } from '../../ports/chunked-array.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
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
export const tiffFormat = (): ArrayFormat =>
  singleArrayFormat('tiff', 'TIFF files', async (path) => {
    const file = new TiffFile(path)
    try {
      const { series, images } = seriesOf(file, readDirectories(file))
      return new TiffArray(path, file, images, series)
    } catch (error) {
      file[Symbol.dispose]()
      throw error
    }
  })
