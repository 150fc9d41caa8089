import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { COMPRESSIONS } from './compressions.ts'
import { type Directory, TAG } from './directories.ts'
import { damaged, type TiffFile } from './tiff-file.ts'

/** How the pixels of an image are stored. */
export interface ImageLayout {
  readonly width: number
  readonly height: number
  /** Samples of a pixel: red, green, blue, …. */
  readonly samples: number
  readonly dtype: DType
  /** Whether the samples of a pixel lie together, and not each in an image of its own. */
  readonly together: boolean
  readonly compression: number
  readonly predictor: number
  /** Pixels of a tile or strip. */
  readonly partWidth: number
  readonly partHeight: number
  readonly isTiled: boolean
}

/** Bytes that a tile or strip may have, decoded. */
const LARGEST_PART = 2 ** 28

const FORMATS: Readonly<Record<number, string>> = { 1: 'uint', 2: 'int', 3: 'float', 4: 'uint' }

/** @throws ConfigError `UNSUPPORTED`, `INVALID_METADATA` */
export function layoutOf(file: TiffFile, directory: Directory): ImageLayout {
  const { path } = file
  const [width, height] = [directory.number(TAG.width), directory.number(TAG.height)]
  const samples = directory.number(TAG.samplesPerPixel, 1)
  if (!(width > 0 && height > 0 && samples > 0)) throw damaged(path, `has an image of ${width} × ${height} pixels`)
  const depth = directory.number(TAG.imageDepth, 1)
  if (depth > 1) throw unsupported(path, `has images of ${depth} planes each`, 'save each plane as an image of its own')
  const dtype = dtypeOf(path, directory)
  const compression = directory.number(TAG.compression, 1)
  if (!Object.hasOwn(COMPRESSIONS, compression)) {
    const what = REFUSED[compression] ?? `the unknown scheme ${compression}`
    throw unsupported(
      path,
      `is compressed with ${what}`,
      'Bellis reads uncompressed, deflate, LZW, LZMA, PackBits and zstd; save it with one of these',
    )
  }
  const predictor = directory.number(TAG.predictor, 1)
  if (predictor > 3) throw unsupported(path, `uses the predictor ${predictor}`, 'save it without a predictor')
  const isTiled = directory.has(TAG.tileWidth)
  const rows = Math.min(directory.number(TAG.rowsPerStrip, height), height)
  const partWidth = isTiled ? directory.number(TAG.tileWidth) : width
  const partHeight = isTiled ? directory.number(TAG.tileHeight) : rows
  const together = samples === 1 || directory.number(TAG.planar, 1) === 1
  const bytes = partWidth * partHeight * BYTES_PER_ELEMENT[dtype] * (together ? samples : 1)
  // An uncompressed strip may be the whole image: its rows are read one by one.
  const isLarge = bytes > LARGEST_PART && (compression !== 1 || isTiled)
  if (!(bytes > 0 && Number.isSafeInteger(bytes)) || isLarge) {
    throw unsupported(path, `has tiles or strips of ${partWidth} × ${partHeight} pixels`, 'save it with smaller ones')
  }
  return { width, height, samples, dtype, together, compression, predictor, partWidth, partHeight, isTiled }
}

const REFUSED: Readonly<Record<number, string>> = {
  2: 'CCITT', 3: 'CCITT', 4: 'CCITT', 6: 'JPEG', 7: 'JPEG', 33003: 'JPEG 2000', 33005: 'JPEG 2000', 34712: 'JPEG 2000', 34887: 'LERC',
  50001: 'WebP', 50002: 'JPEG XL', 52546: 'JPEG XL',
} // biome-ignore format: a table

function dtypeOf(path: string, directory: Directory): DType {
  const bits = directory.numbers(TAG.bitsPerSample, 64)
  const formats = directory.numbers(TAG.sampleFormat, 64)
  const [each = 1] = bits
  const [format = 1] = formats
  const name = `${FORMATS[format] ?? 'complex'}${each}`
  const isOne = bits.every((value) => value === each) && formats.every((value) => value === format)
  if (isOne && Object.hasOwn(BYTES_PER_ELEMENT, name)) return name as DType
  const what = isOne ? `pixels of the type ${name}` : `pixels whose samples have ${bits.join(', ')} bits`
  throw unsupported(path, `has ${what}`, 'Bellis reads integers of 8 to 64 bits and floats; save it as one of these')
}

export const unsupported = (path: string, what: string, remedy: string): ConfigError =>
  new ConfigError('UNSUPPORTED', `${path} ${what}; ${remedy}.`)

/**
 * Checks that the pixels of an image are like those of the first one of its stack; it may be stored in another way.
 * @throws ConfigError `UNSUPPORTED`
 */
export function assertAlike(path: string, first: ImageLayout, image: ImageLayout): void {
  if (isAlike(first, image)) return
  const show = ({ width, height, samples, dtype }: ImageLayout) => `${width} × ${height} pixels of ${samples} ${dtype}`
  throw unsupported(path, `has images of ${show(first)} and of ${show(image)}`, 'save all images of a stack alike')
}

/** Whether two images can be planes of one stack. */
export const isAlike = (a: ImageLayout, b: ImageLayout): boolean =>
  a.width === b.width && a.height === b.height && a.samples === b.samples && a.dtype === b.dtype
