import { copyBox } from '../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { BlockwiseError } from '../../core/errors.ts'
import { productOf } from '../../core/geometry/coordinate.ts'
import { CodecError } from '../codecs/codec.ts'
import { decodeJpeg } from '../jpeg/jpeg-file.ts'
import { decodePng, pngHeader } from '../png/png-file.ts'
import type { ChunkCodec } from '../zarr/chunks/chunk-codec.ts'
import { decodeCompressedSegmentation } from './compressed-segmentation.ts'
import { encodeCompressedSegmentation } from './encode-segmentation.ts'
import type { Scale, VolumeInfo } from './volume-info.ts'

/** Chunks of a scale: (channel,) z, y, x. Those at its end are smaller, without saying so. */
export function precomputedChunks({ dtype, channels }: VolumeInfo, scale: Scale): ChunkCodec {
  const bytesPerElement = BYTES_PER_ELEMENT[dtype]
  const shape = [...(channels > 1 ? [channels] : []), ...scale.chunkSize]
  const strides = rowMajorStrides(shape, bytesPerElement)
  const byteLength = bytesPerElement * productOf(shape)
  /** The shape of a chunk: of its channels, z, y, x. */
  const partAt = (index: readonly number[]): number[] => [
    ...(channels > 1 ? [channels] : []),
    ...scale.chunkSize.map((length, axis) =>
      Math.min(length, (scale.size[axis] as number) - (index.at(axis - 3) as number) * length),
    ),
  ]
  return {
    ...{ shape, strides, byteLength },
    isRowMajor: true,
    isRaw: false,
    labels: scale.encoding === 'raw' ? [] : [scale.encoding],
    encodedRoom: 0,
    encode(decoded, _room, index) {
      const part = partAt(index)
      const bytes = new Uint8Array(bytesPerElement * productOf(part))
      const target = { bytes, start: 0, strides: rowMajorStrides(part, bytesPerElement) }
      copyBox(part, bytesPerElement, { bytes: decoded, start: 0, strides }, target)
      if (scale.encoding !== 'compressed_segmentation') return bytes
      return encodeCompressedSegmentation(bytes, ...segmentationArguments(scale, { dtype, channels, part }))
    },
    decode(encoded, into, index) {
      const part = partAt(index)
      const count = productOf(part)
      const bytes = decodePart(encoded, scale, { dtype, channels, part })
      if (bytes.length !== count * bytesPerElement) {
        throw new CodecError(`it has ${bytes.length} bytes, expected ${count * bytesPerElement}`)
      }
      const whole = into?.subarray(0, byteLength) ?? new Uint8Array(byteLength)
      if (bytes.length === byteLength) whole.set(bytes)
      else {
        whole.fill(0)
        const source = { bytes, start: 0, strides: rowMajorStrides(part, bytesPerElement) }
        copyBox(part, bytesPerElement, source, { bytes: whole, start: 0, strides })
      }
      return whole
    },
  }
}

interface Part {
  readonly dtype: DType
  readonly channels: number
  readonly part: readonly number[]
}

/** x comes first there. */
function segmentationArguments({ blockSize }: Scale, { dtype, channels, part }: Part) {
  const reversed = (list: readonly number[]) => [...list].reverse().slice(0, 3) as unknown as [number, number, number]
  return [reversed(part), channels, reversed(blockSize), dtype === 'uint64' ? 2 : 1] as const
}

function decodePart(encoded: Uint8Array, scale: Scale, { dtype, channels, part }: Part): Uint8Array {
  const { encoding } = scale
  switch (encoding) {
    case 'raw':
      return encoded
    case 'compressed_segmentation':
      return decodeCompressedSegmentation(encoded, ...segmentationArguments(scale, { dtype, channels, part }))
    case 'png':
      return decodeImage(encoded, dtype, channels, part)
    case 'jpeg':
      return samplesApart(jpegOf(encoded, dtype, channels, part), dtype, channels)
    default:
      return encoding satisfies never
  }
}

/** A PNG image with as many pixels as the chunk has voxels, in their order. */
function decodeImage(encoded: Uint8Array, dtype: DType, channels: number, part: readonly number[]): Uint8Array {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
  return samplesApart(imageOf(bytes, dtype, channels, part), dtype, channels)
}

function jpegOf(encoded: Uint8Array, dtype: DType, channels: number, part: readonly number[]): Uint8Array {
  const count = productOf(part.slice(-3))
  return decodeJpeg(encoded, ({ width, height, samples }) => {
    if (width * height === count && samples === channels && dtype === 'uint8') return
    throw new CodecError(
      `its image has ${width} × ${height} pixels of ${samples} samples of uint8, expected ${count} of ${channels} of ${dtype}`,
    )
  })
}

/** Samples of a pixel lie together in an image, and apart in a chunk. */
function samplesApart(pixels: Uint8Array, dtype: DType, channels: number): Uint8Array {
  if (channels === 1) return pixels
  const size = BYTES_PER_ELEMENT[dtype]
  const count = pixels.length / channels / size
  const apart = new Uint8Array(pixels.length)
  copyBox(
    [channels, count],
    size,
    { bytes: pixels, start: 0, strides: [size, channels * size] },
    { bytes: apart, start: 0, strides: [count * size, size] },
  )
  return apart
}

function imageOf(bytes: Buffer, dtype: DType, channels: number, part: readonly number[]): Uint8Array {
  try {
    const header = pngHeader('its image', bytes)
    const count = productOf(part.slice(-3))
    if (header.width * header.height !== count || header.samples !== channels || header.dtype !== dtype) {
      const { width, height, samples } = header
      throw new CodecError(
        `its image has ${width} × ${height} pixels of ${samples} samples of ${header.dtype}, expected ${count} of ${channels} of ${dtype}`,
      )
    }
    return decodePng('its image', bytes, header)
  } catch (error) {
    if (!(error instanceof BlockwiseError)) throw error
    throw new CodecError(error.message.replace(/[.;].*$/, ''), { cause: error })
  }
}
