import type { ArrayFormat, ChunkedArray } from '../../ports/chunked-array.ts'
import type { OpenFileOptions } from '../files/open-file.ts'
import { singleArrayFormat } from '../files/single-array-format.ts'
import { withBytes } from '../ranges/absent-bytes.ts'
import { openBytes, type RangeOptions } from '../ranges/open-bytes.ts'
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
export const tiffFormat = (ranges: RangeOptions = {}): ArrayFormat =>
  singleArrayFormat('tiff', (path) => openTiff(path, ranges))

/** @throws what {@link openBytes} throws; ConfigError `INVALID_METADATA`, `UNSUPPORTED` */
export async function openTiff(path: string, options: RangeOptions & OpenFileOptions = {}): Promise<ChunkedArray> {
  const bytes = await openBytes(path, options)
  try {
    const file = await withBytes(() => new TiffFile(bytes))
    const { series, images } = await seriesOf(file, await readDirectories(file))
    return new TiffArray(bytes.path, file, images, series)
  } catch (error) {
    bytes[Symbol.dispose]()
    throw error
  }
}
