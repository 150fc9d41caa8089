import zlib from 'node:zlib'
import { BYTES_PER_ELEMENT } from '../../core/array/dtype.ts'
import { CodecError } from '../codecs/codec.ts'
import { zstdCodec } from '../codecs/zlib.ts'
import type { ImageLayout } from './image.ts'
import { decodeLzw } from './lzw.ts'

/** Fills `into` with as many bytes as the data has. @returns how many. @throws CodecError */
type Decode = (data: Uint8Array, into: Uint8Array) => number

/** The schemes that are read, by their number. */
export const COMPRESSIONS: Readonly<Record<number, { readonly name: string; readonly decode: Decode }>> = {
  1: { name: 'raw', decode: copyInto },
  5: { name: 'lzw', decode: decodeLzw },
  8: { name: 'deflate', decode: inflate },
  32773: { name: 'packbits', decode: unpackBits },
  32946: { name: 'deflate', decode: inflate },
  50000: { name: 'zstd', decode: unpackZstd },
}

function copyInto(data: Uint8Array, into: Uint8Array): number {
  const part = data.subarray(0, into.length)
  into.set(part)
  return part.length
}

// Writers may pad a strip beyond its rows, so what follows is left out.
function inflate(data: Uint8Array, into: Uint8Array): number {
  try {
    return copyInto(
      zlib.inflateSync(data, { chunkSize: into.length + 64, maxOutputLength: 2 * into.length + 65_536 }),
      into,
    )
  } catch (error) {
    throw new CodecError((error as Error).message, { cause: error })
  }
}

function unpackZstd(data: Uint8Array, into: Uint8Array): number {
  return copyInto(zstdCodec(0).decode(data, { atMost: 2 * into.length + 65_536 }), into)
}

function unpackBits(data: Uint8Array, into: Uint8Array): number {
  let written = 0
  for (let at = 0; at < data.length && written < into.length; ) {
    const header = data[at++] as number
    if (header === 128) continue
    if (header < 128) {
      const part = data.subarray(at, Math.min(at + header + 1, at + into.length - written))
      into.set(part, written)
      at += header + 1
      written += part.length
    } else {
      const end = Math.min(written + 257 - header, into.length)
      into.fill(data[at++] ?? 0, written, end)
      written = end
    }
  }
  return written
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
  const rowBytes = partWidth * perPixel * size
  const decoded = new Uint8Array(rowBytes * rows)
  const found = (COMPRESSIONS[compression] as { decode: Decode }).decode(data, decoded)
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

export function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (size === 2) buffer.swap16()
  else if (size === 4) buffer.swap32()
  else if (size === 8) buffer.swap64()
}
