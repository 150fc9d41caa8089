import { readFileSync } from 'node:fs'
import zlib from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isMissingFile } from '../../core/system-errors.ts'

const SIGNATURE = Buffer.from('\u0089PNG\r\n\u001a\n', 'latin1')

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

/** @throws ConfigError `NO_SUCH_FILE`; InfrastructureError `IO_ERROR` */
export function readPng(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isMissingFile(error))
      throw new ConfigError('NO_SUCH_FILE', `There is no file ${path}; check the path.`, { cause: error })
    throw new InfrastructureError('IO_ERROR', `Can't read ${path}: ${(error as Error).message}.`, { cause: error })
  }
}

/** @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED` */
export function pngHeader(path: string, bytes: Buffer): PngHeader {
  if (!isPng(bytes) || bytes.length < 33 || bytes.toString('latin1', 12, 16) !== 'IHDR') {
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
 * @throws InfrastructureError `CORRUPT_DATA`
 */
export function decodePng(path: string, bytes: Buffer, header: PngHeader): Uint8Array {
  const { width, height, samples, dtype } = header
  const perPixel = samples * (dtype === 'uint8' ? 1 : 2)
  const rowBytes = width * perPixel
  const filtered = inflateRows(path, compressedOf(path, bytes), (rowBytes + 1) * height)
  const pixels = new Uint8Array(rowBytes * height)
  for (let row = 0; row < height; row++) {
    const from = row * (rowBytes + 1)
    const above = row === 0 ? undefined : pixels.subarray((row - 1) * rowBytes, row * rowBytes)
    const target = pixels.subarray(row * rowBytes, (row + 1) * rowBytes)
    target.set(filtered.subarray(from + 1, from + 1 + rowBytes))
    if (!unfilter(filtered[from] as number, target, above, perPixel))
      throw corrupt(path, `row ${row} uses an unknown filter`)
  }
  if (dtype === 'uint16') Buffer.from(pixels.buffer).swap16()
  return pixels
}

/** The data of all IDAT chunks. */
function compressedOf(path: string, bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = SIGNATURE.length; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at)
    const kind = bytes.toString('latin1', at + 4, at + 8)
    if (at + 12 + length > bytes.length) throw corrupt(path, `its part ${JSON.stringify(kind)} is cut short`)
    if (kind === 'IDAT') {
      const part = bytes.subarray(at + 8, at + 8 + length)
      if (zlib.crc32(bytes.subarray(at + 4, at + 8 + length)) !== bytes.readUInt32BE(at + 8 + length)) {
        throw corrupt(path, 'a checksum of its pixels does not match')
      }
      parts.push(part)
    }
    if (kind === 'IEND') return Buffer.concat(parts)
    at += 12 + length
  }
  throw corrupt(path, 'it has no end')
}

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
