import { closeSync, fstatSync } from 'node:fs'
import zlib from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { encodedLimit } from '../files/encoded-limit.ts'
import { type OpenFileOptions, openFile } from '../files/open-file.ts'
import { readFullySync } from '../files/read-fully.ts'

const SIGNATURE = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1')

/** The signature and the first chunk. */
const HEADER_BYTES = 33

/** Pixels of the largest image: its voxels fit into memory, and are decoded at once. */
const MOST_BYTES = 2 ** 30

/** The most that deflate can compress by. */
const HIGHEST_RATIO = 1032

/** Samples of a pixel by colour type: grey; red, green, blue; index into a palette; grey and alpha; colours and alpha. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }

/** What the header of an image says: https://www.w3.org/TR/png-3/ */
export interface PngHeader {
  readonly width: number
  readonly height: number
  readonly samples: number
  readonly dtype: 'uint8' | 'uint16'
}

/** Whether a file starts as a PNG image does. */
export const isPng = (start: Buffer): boolean => start.subarray(0, SIGNATURE.length).equals(SIGNATURE)

/** @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`, `UNSUPPORTED`; InfrastructureError `IO_ERROR` */
export function readHeader(path: string, options: OpenFileOptions = {}): PngHeader {
  using file = new OpenPng(path, options)
  return pngHeader(path, file.bytes(0, HEADER_BYTES))
}

/** @param bytes the first ones of an image @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED` */
export function pngHeader(path: string, bytes: Buffer): PngHeader {
  if (!isPng(bytes) || bytes.length < HEADER_BYTES || bytes.toString('latin1', 12, 16) !== 'IHDR') {
    throw new ConfigError(
      'INVALID_METADATA',
      `${path} does not start as a PNG image does; it is damaged, or was cut short when it was copied.`,
    )
  }
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  const [depth, colour, , , interlace] = bytes.subarray(24, 29) as unknown as number[]
  const samples = SAMPLES[colour as number]
  if (samples === undefined || (depth !== 8 && depth !== 16) || interlace !== 0) {
    const what = interlace === 0 ? `pixels of ${depth} bits and colour type ${colour}` : 'interlaced rows'
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} has ${what}; Bellis reads PNG images of 8 or 16 bits, without interlacing: save it as one.`,
    )
  }
  if (!(width > 0 && height > 0) || width * height * samples * (depth / 8) > MOST_BYTES) {
    throw new ConfigError(
      'UNSUPPORTED',
      `${path} has ${width} × ${height} pixels; images of at most ${MOST_BYTES} bytes can be read.`,
    )
  }
  return { width, height, samples, dtype: depth === 8 ? 'uint8' : 'uint16' }
}

/**
 * The pixels of an image, samples of a pixel together, in the machine's byte order.
 * @param header what the file said before
 * @throws ConfigError `NO_SUCH_FILE`; InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
 */
export function readPixels(path: string, header: PngHeader, options: OpenFileOptions = {}): Uint8Array {
  using file = new OpenPng(path, options)
  return pixelsOf(path, file, header)
}

/** The same, of an image in memory. @param path for messages @throws InfrastructureError `CORRUPT_DATA` */
export const decodePng = (path: string, bytes: Buffer, header: PngHeader): Uint8Array =>
  pixelsOf(
    path,
    {
      byteLength: bytes.length,
      bytes: (start, length) => bytes.subarray(start, start + length),
      read: (into, start) => bytes.copy(into, 0, start),
    },
    header,
  )

/** The bytes of an image. */
interface PngBytes {
  readonly byteLength: number
  /** Fewer at the end. */
  bytes(start: number, length: number): Buffer
  /** Fills `into`. @returns how many bytes there were */
  read(into: Buffer, start: number): number
}

function pixelsOf(path: string, file: PngBytes, { width, height, samples, dtype }: PngHeader): Uint8Array {
  const perPixel = samples * (dtype === 'uint8' ? 1 : 2)
  const rowBytes = width * perPixel
  const rows = inflateRows(path, compressedOf(path, file, (rowBytes + 1) * height), (rowBytes + 1) * height)
  // In place: each row moves to the front, by the filters of those before it.
  for (let row = 0; row < height; row++) {
    const from = row * (rowBytes + 1)
    const filter = rows[from] as number
    rows.copyWithin(row * rowBytes, from + 1, from + 1 + rowBytes)
    const above = row === 0 ? undefined : rows.subarray((row - 1) * rowBytes, row * rowBytes)
    if (!unfilter(filter, rows.subarray(row * rowBytes, (row + 1) * rowBytes), above, perPixel))
      throw corrupt(path, `row ${row} uses an unknown filter`)
  }
  const pixels = rows.subarray(0, rowBytes * height)
  if (dtype === 'uint16') pixels.swap16()
  return pixels
}

/** The data of all IDAT chunks; other chunks are left out, whatever their size. @param decoded bytes that they decode to */
function compressedOf(path: string, file: PngBytes, decoded: number): Buffer {
  const found: { readonly start: number; readonly length: number }[] = []
  let total = 0
  for (let at = SIGNATURE.length; ; ) {
    const head = file.bytes(at, 8)
    if (head.length < 8) throw corrupt(path, 'it has no end')
    const [length, kind] = [head.readUInt32BE(0), head.toString('latin1', 4)]
    if (kind === 'IEND') break
    if (at + 12 + length > file.byteLength) throw corrupt(path, `its part ${JSON.stringify(kind)} is cut short`)
    if (kind === 'IDAT') {
      found.push({ start: at + 8, length })
      total += length
    }
    at += 12 + length
  }
  if (total > encodedLimit(decoded)) {
    throw corrupt(path, `its pixels take ${total} bytes, and at most ${encodedLimit(decoded)} are expected`)
  }
  const all = Buffer.allocUnsafe(total)
  let end = 0
  for (const { start, length } of found) {
    const part = all.subarray(end, (end += length))
    const isWhole = file.read(part, start) === length
    const checksum = file.bytes(start + length, 4)
    if (!isWhole || checksum.length < 4 || zlib.crc32(part, CRC_OF_IDAT) !== checksum.readUInt32BE(0)) {
      throw corrupt(path, 'a checksum of its pixels does not match')
    }
  }
  return all
}

/** The checksum of a chunk starts with its name. */
const CRC_OF_IDAT = zlib.crc32('IDAT')

function inflateRows(path: string, data: Buffer, byteLength: number): Buffer {
  // No stream decodes to more than this, so a header that claims it is wrong.
  if (byteLength > data.length * HIGHEST_RATIO) throw corrupt(path, `its pixels can't be ${byteLength} bytes`)
  let rows: Buffer
  try {
    rows = zlib.inflateSync(data, { chunkSize: Math.max(64, byteLength + 64), maxOutputLength: byteLength + 64 })
  } catch (error) {
    throw corrupt(path, (error as Error).message)
  }
  if (rows.length < byteLength) throw corrupt(path, `its pixels decode to ${rows.length} bytes, expected ${byteLength}`)
  return rows
}

/** An open file. */
class OpenPng implements PngBytes, Disposable {
  readonly byteLength: number
  readonly #path: string
  readonly #file: number

  /** @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED`; InfrastructureError `IO_ERROR` */
  constructor(path: string, options: OpenFileOptions) {
    this.#path = path
    this.#file = openFile(path, options)
    this.byteLength = fstatSync(this.#file).size
  }

  /** Fewer at the end of the file. @throws InfrastructureError `IO_ERROR` */
  bytes(start: number, length: number): Buffer {
    const into = Buffer.alloc(length)
    return into.subarray(0, this.read(into, start))
  }

  /** @returns how many bytes there were @throws InfrastructureError `IO_ERROR` */
  read(into: Buffer, start: number): number {
    try {
      return readFullySync(this.#file, into, start)
    } catch (error) {
      const { message } = error as Error
      throw new InfrastructureError('IO_ERROR', `Can't read ${this.#path}: ${message}.`, { cause: error })
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }
}

const corrupt = (path: string, what: string): InfrastructureError =>
  new InfrastructureError('CORRUPT_DATA', `${path} is corrupt: ${what}; restore it from a copy.`)

/** Undoes the filter of a row in place. @returns false for an unknown filter */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array | undefined, perPixel: number): boolean {
  const up = above ?? new Uint8Array(filter > 1 ? row.length : 0)
  const before = (of: Uint8Array, i: number) => (i < perPixel ? 0 : (of[i - perPixel] as number))
  if (filter === 1)
    for (let i = perPixel; i < row.length; i++) row[i] = (row[i] as number) + (row[i - perPixel] as number)
  else if (filter === 2) for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + (up[i] as number)
  else if (filter === 3) {
    for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) + ((before(row, i) + (up[i] as number)) >> 1)
  } else if (filter === 4) {
    for (let i = 0; i < row.length; i++)
      row[i] = (row[i] as number) + paeth(before(row, i), up[i] as number, before(up, i))
  } else return filter === 0
  return true
}

/** The neighbour that is closest to left + above − corner. */
function paeth(left: number, above: number, corner: number): number {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? above : corner
}
