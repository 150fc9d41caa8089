import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { CodecError, checkSize, type DecodedSize, mostOf, showSize } from '../codec.ts'
import { unpackLzma, unpackLzma2 } from '../compiled/lzma-module.ts'
import { crc64 } from './crc64.ts'
import { LzmaDecoder, type Output } from './lzma.ts'

// xz: streams of blocks with an index, or the older `.lzma` without checksums. A block has up to four filters, of which LZMA2 is the last.

const STREAM_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
const HEADER_BYTES = 12
const LZMA2 = 0x21
const DELTA = 0x03
/** LZMA2 has fewer contexts of literals than LZMA. */
const MOST_LITERAL_BITS = 4
const FIRST_BYTES = 2 ** 16

const wrong = (what: string) => new CodecError(`its xz stream is damaged: ${what}`)

class Decoded implements Output {
  bytes: Uint8Array
  length = 0
  readonly size: DecodedSize
  /** Whether WebAssembly decodes what it can. */
  readonly isCompiled: boolean

  constructor(size: DecodedSize, isCompiled: boolean) {
    this.size = size
    this.isCompiled = isCompiled
    this.bytes = new Uint8Array(typeof size === 'number' ? size : Math.min(size.atMost, FIRST_BYTES))
  }

  /** The most that it may have. */
  get most(): number {
    return mostOf(this.size)
  }

  append(bytes: Uint8Array): void {
    this.reserve(this.length + bytes.length)
    this.bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  reserve(length: number): void {
    if (length <= this.bytes.length) return
    const { most } = this
    if (length > most) throw new CodecError(`it decodes to more than ${most} bytes, expected ${showSize(this.size)}`)
    const grown = new Uint8Array(Math.min(most, Math.max(length, 2 * this.bytes.length)))
    grown.set(this.bytes.subarray(0, this.length))
    this.bytes = grown
  }
}

/** Decodes `.xz`, one stream or several, and `.lzma`. @throws CodecError */
export const decodeXz = (data: Uint8Array, size: DecodedSize): Uint8Array => decode(data, new Decoded(size, true))

/** The same in TypeScript alone. */
export const plainDecodeXz = (data: Uint8Array, size: DecodedSize): Uint8Array => decode(data, new Decoded(size, false))

function decode(data: Uint8Array, output: Decoded): Uint8Array {
  if (isStream(data, 0)) {
    for (let at = 0; at < data.length; ) {
      at = decodeStream(data, at, output)
      // Streams may be followed by zeros, four at a time.
      while (at + 4 <= data.length && data.subarray(at, at + 4).every((byte) => byte === 0)) at += 4
    }
  } else decodeAlone(data, output)
  checkSize(output.length, output.size)
  return output.bytes.subarray(0, output.length)
}

const isStream = (data: Uint8Array, at: number): boolean => STREAM_MAGIC.every((byte, i) => data[at + i] === byte)

/** `.lzma`: properties, the size of the dictionary and that of the data. */
function decodeAlone(data: Uint8Array, output: Decoded): void {
  if (data.length < 13) throw new CodecError('it is neither an xz nor an LZMA stream')
  const view = viewOf(data)
  const decoder = new LzmaDecoder()
  decoder.setProperties(data[0] as number)
  const known = view.getBigUint64(5, true)
  const end = known === 2n ** 64n - 1n ? undefined : Number(known)
  if (end !== undefined) output.reserve(end)
  if (output.isCompiled) {
    const found = unpackLzma(data.subarray(13), data[0] as number, end ?? output.most, end === undefined)
    if (found?.used === data.length - 13) {
      output.append(found.bytes)
      return
    }
  }
  const used = decoder.run(data.subarray(13), output, end)
  if (13 + used !== data.length) throw new CodecError('its LZMA stream is followed by other bytes')
}

/** @returns where the stream ends */
function decodeStream(data: Uint8Array, start: number, output: Decoded): number {
  if (!isStream(data, start) || start + HEADER_BYTES > data.length) throw wrong('it does not start as one')
  const view = viewOf(data)
  checkCrc32(data, start + 6, start + 8)
  const check = (data[start + 7] as number) & 15
  const sizes: (readonly [number, number])[] = []
  let at = start + HEADER_BYTES
  while (at < data.length && data[at] !== 0) {
    const from = output.length
    const { end, padding } = decodeBlock(data, at, check, output)
    sizes.push([end - at - padding, output.length - from])
    at = end
  }
  const index = at
  at = checkIndex(data, at, sizes)
  // Its footer: a checksum, the size of the index, and flags as at the start.
  if (at + HEADER_BYTES > data.length) throw wrong('it is truncated')
  if (crc32(data.subarray(at + 4, at + 10)) !== view.getUint32(at, true)) throw wrong('its footer is damaged')
  const isSame = data[at + 8] === data[start + 6] && data[at + 9] === data[start + 7]
  if (!isSame || 4 * (view.getUint32(at + 4, true) + 1) !== at - index) throw wrong('its footer is damaged')
  if (data[at + 10] !== 0x59 || data[at + 11] !== 0x5a) throw wrong('its footer is damaged')
  return at + HEADER_BYTES
}

interface Filter {
  readonly id: number
  readonly properties: Uint8Array
}

/** @returns where the block ends, and how many bytes of it only fill up its data */
function decodeBlock(
  data: Uint8Array,
  start: number,
  check: number,
  output: Decoded,
): { readonly end: number; readonly padding: number } {
  const headerEnd = start + 4 * ((data[start] as number) + 1)
  if (headerEnd > data.length) throw wrong('it is truncated')
  checkCrc32(data, start, headerEnd - 4)
  const flags = data[start + 1] as number
  const reader = new Reader(data, start + 2, headerEnd - 4)
  const compressed = (flags & 0x40) === 0 ? undefined : reader.number()
  const uncompressed = (flags & 0x80) === 0 ? undefined : reader.number()
  const filters = Array.from({ length: (flags & 3) + 1 }, (): Filter => {
    const id = reader.number()
    return { id, properties: reader.bytes(reader.number()) }
  })
  if (filters.at(-1)?.id !== LZMA2) throw wrong('its last filter is not LZMA2')
  const other = filters.slice(0, -1).find(({ id }) => id !== DELTA)
  if (other !== undefined) throw new CodecError(`its xz stream has the filter ${other.id}, which Bellis can't decode`)
  const from = output.length
  let at = decodeLzma2(data, headerEnd, output)
  const size = at - headerEnd
  const length = output.length - from
  if ((compressed ?? size) !== size || (uncompressed ?? length) !== length) throw wrong('a block has another size')
  const decoded = output.bytes.subarray(from, output.length)
  for (const { properties } of filters.slice(0, -1).reverse()) undoDelta(decoded, (properties[0] ?? 0) + 1)
  const padding = (4 - (size & 3)) & 3
  for (let i = 0; i < padding; i++) if (data[at++] !== 0) throw wrong('its padding is not empty')
  const { bytes, sum } = checkOf(check)
  const stored = data.subarray(at, at + bytes)
  if (stored.length < bytes) throw wrong('it is truncated')
  if (sum !== undefined && Buffer.compare(sum(decoded), stored) !== 0) throw wrong('a block has a wrong checksum')
  return { end: at + bytes, padding }
}

/** A checksum by its number; one that is unknown is passed over, as the format wants it. */
function checkOf(check: number): { readonly bytes: number; readonly sum?: (data: Uint8Array) => Uint8Array } {
  const little = (bytes: number, write: (buffer: Buffer) => void) => {
    const buffer = Buffer.alloc(bytes)
    write(buffer)
    return buffer
  }
  if (check === 0) return { bytes: 0 }
  if (check === 1) return { bytes: 4, sum: (data) => little(4, (buffer) => buffer.writeUInt32LE(crc32(data))) }
  if (check === 4) return { bytes: 8, sum: (data) => little(8, (buffer) => buffer.writeBigUInt64LE(crc64(data))) }
  if (check === 10) return { bytes: 32, sum: (data) => createHash('sha256').update(data).digest() }
  return { bytes: 4 * 2 ** Math.floor((check - 1) / 3) }
}

/** Chunks with a control byte each, which says what is reset. @returns the end of the chunks */
function decodeLzma2(data: Uint8Array, start: number, output: Decoded): number {
  const found = output.isCompiled ? unpackLzma2(data.subarray(start), output.most - output.length) : undefined
  if (found !== undefined) {
    output.append(found.bytes)
    return start + found.used
  }
  const decoder = new LzmaDecoder()
  const view = viewOf(data)
  let needsDictionary = true
  for (let at = start; ; ) {
    const control = data[at]
    if (control === undefined || (control !== 0 && at + 6 > data.length)) throw wrong('it is truncated')
    if (control === 0) return at + 1
    if (control >= 0xe0 || control === 1) {
      decoder.resetDictionary(output)
      needsDictionary = false
    }
    if (needsDictionary || (control > 2 && control < 0x80)) throw wrong('a chunk is of an unknown kind')
    if (control < 0x80) {
      const length = view.getUint16(at + 1) + 1
      if (at + 3 + length > data.length) throw wrong('it is truncated')
      output.reserve(output.length + length)
      output.bytes.set(data.subarray(at + 3, at + 3 + length), output.length)
      output.length += length
      at += 3 + length
      continue
    }
    const length = ((control & 0x1f) << 16) + view.getUint16(at + 1) + 1
    const size = view.getUint16(at + 3) + 1
    at += 5
    if (control >= 0xc0) decoder.setProperties(data[at++] as number, MOST_LITERAL_BITS)
    else if (control >= 0xa0) decoder.resetState()
    if (at + size > data.length) throw wrong('it is truncated')
    output.reserve(output.length + length)
    if (decoder.run(data.subarray(at, at + size), output, output.length + length) !== size)
      throw wrong('a chunk has another size')
    at += size
  }
}

function undoDelta(bytes: Uint8Array, distance: number): void {
  for (let i = distance; i < bytes.length; i++) bytes[i] = (bytes[i] as number) + (bytes[i - distance] as number)
}

/** Checks the index: the sizes of all blocks. @returns its end */
function checkIndex(data: Uint8Array, start: number, sizes: readonly (readonly [number, number])[]): number {
  if (data[start] !== 0) throw wrong('it is truncated')
  const reader = new Reader(data, start + 1, data.length)
  if (reader.number() !== sizes.length) throw wrong('its index has another number of blocks')
  for (const [stored, decoded] of sizes) {
    if (reader.number() !== stored || reader.number() !== decoded) throw wrong('its index has other sizes')
  }
  const at = reader.at + ((4 - ((reader.at - start) & 3)) & 3)
  if (at + 4 > data.length) throw wrong('it is truncated')
  checkCrc32(data, start, at)
  return at + 4
}

/** Checks the checksum that follows some bytes. */
function checkCrc32(data: Uint8Array, start: number, end: number): void {
  if (end + 4 > data.length) throw wrong('it is truncated')
  if (crc32(data.subarray(start, end)) !== viewOf(data).getUint32(end, true)) throw wrong('a header is damaged')
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

class Reader {
  readonly #data: Uint8Array
  readonly #end: number
  at: number

  constructor(data: Uint8Array, start: number, end: number) {
    this.#data = data
    this.at = start
    this.#end = end
  }

  /** A number of seven bits in each byte, the lowest first. */
  number(): number {
    let value = 0
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const [byte] = this.bytes(1)
      value += ((byte as number) & 0x7f) * scale
      if ((byte as number) < 128) return value
    }
    throw wrong('a number is too large')
  }

  bytes(count: number): Uint8Array {
    if (this.at + count > this.#end) throw wrong('it is truncated')
    this.at += count
    return this.#data.subarray(this.at - count, this.at)
  }
}
