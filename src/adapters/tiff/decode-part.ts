import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { CodecError } from '../codecs/codec.ts'
import { encodedLimit } from '../files/encoded-limit.ts'
import { swapBytes } from '../files/swap-bytes.ts'
import { COMPRESSIONS, type Compression } from './compressions.ts'
import type { ImageLayout } from './image.ts'

const rowBytesOf = ({ partWidth, samples, together, dtype }: ImageLayout): number =>
  partWidth * (together ? samples : 1) * BYTES_PER_ELEMENT[dtype]

/**
 * Checks the size of an encoded tile or strip before memory is allocated for it, or for what it decodes to.
 * @throws CodecError
 */
export function assertDecodable(byteLength: number, layout: ImageLayout, rows: number): void {
  const decoded = rowBytesOf(layout) * rows
  if (byteLength > encodedLimit(decoded)) {
    throw new CodecError(`it has ${byteLength} bytes, and at most ${encodedLimit(decoded)} are expected`)
  }
  const { highestRatio } = COMPRESSIONS[layout.compression] as Compression
  if (decoded > byteLength * highestRatio)
    throw new CodecError(`its ${byteLength} bytes can't be ${decoded} bytes of pixels`)
}

/**
 * Decodes a tile or strip into the machine's byte order.
 * @param rows how many it has: the last strip may have fewer
 * @throws CodecError
 */
export function decodePart(data: Uint8Array, layout: ImageLayout, rows: number, bigEndian: boolean): Uint8Array {
  const { partWidth, samples, together, dtype, compression, predictor } = layout
  const size = BYTES_PER_ELEMENT[dtype]
  const perPixel = together ? samples : 1
  const rowBytes = rowBytesOf(layout)
  const decoded = new Uint8Array(rowBytes * rows)
  const found = (COMPRESSIONS[compression] as Compression).decode(data, decoded)
  if (found < decoded.length) throw new CodecError(`it decoded to ${found} bytes, expected ${decoded.length}`)
  if (predictor === 3) {
    for (let row = 0; row < rows; row++)
      addFloats(decoded.subarray(row * rowBytes, (row + 1) * rowBytes), perPixel, size)
    return decoded
  }
  if (bigEndian) swapBytes(decoded, size)
  if (predictor === 2) addDifferences(decoded, size, partWidth * perPixel, perPixel)
  return decoded
}

/** Undoes horizontal differencing: each sample is the sum of itself and that of the pixel before. */
function addDifferences(bytes: Uint8Array, size: number, perRow: number, perPixel: number): void {
  const { buffer, byteOffset, length } = bytes
  if (size === 8) {
    const values = new BigUint64Array(buffer, byteOffset, length / 8)
    for (let row = 0; row < values.length; row += perRow) {
      for (let i = row + perPixel; i < row + perRow; i++)
        values[i] = (values[i] as bigint) + (values[i - perPixel] as bigint)
    }
    return
  }
  const values =
    size === 1
      ? bytes
      : size === 2
        ? new Uint16Array(buffer, byteOffset, length / 2)
        : new Uint32Array(buffer, byteOffset, length / 4)
  for (let row = 0; row < values.length; row += perRow) {
    for (let i = row + perPixel; i < row + perRow; i++)
      values[i] = (values[i] as number) + (values[i - perPixel] as number)
  }
}

/** Undoes the differencing of floats: their bytes lie apart, the highest of all first. */
function addFloats(row: Uint8Array, perPixel: number, size: number): void {
  for (let i = perPixel; i < row.length; i++) row[i] = ((row[i] as number) + (row[i - perPixel] as number)) & 255
  const planes = row.slice()
  const count = row.length / size
  for (let i = 0; i < count; i++) {
    for (let byte = 0; byte < size; byte++) row[i * size + byte] = planes[(size - 1 - byte) * count + i] as number
  }
}
