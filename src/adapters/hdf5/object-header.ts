import type { ByteFile } from '../../ports/byte-file.ts'

/*
 * The parts of HDF5's file format for which h5wasm has no function: the expected end of the file, the fill value, and the
 * significant bits of an element. Section numbers refer to the "HDF5 File Format Specification", version 3.
 */

/** Bytes that are no valid header; the caller, who knows the file, turns it into `CORRUPT_DATA`. */
export class DamagedHeader extends Error {}

/** The start of an HDF5 file. All in bytes. */
export interface Superblock {
  /** Where the HDF5 part starts: above 0 if the file has a user block. */
  readonly base: number
  /** Size of an address, and of a length. */
  readonly offsetSize: number
  readonly lengthSize: number
  /** The length of the file according to its header. */
  readonly endOfFile: number
  /** The actual length of the file. */
  readonly size: number
}

/** One message of an object header. */
export interface HeaderMessage {
  readonly type: number
  readonly flags: number
  readonly data: Buffer
  /** Where its data starts in the file. */
  readonly position: number
}

export const MESSAGE = {
  dataspace: 0x01,
  datatype: 0x03,
  oldFill: 0x04,
  fill: 0x05,
  externalFiles: 0x07,
  layout: 0x08,
  continuation: 0x10,
  modified: 0x12,
} as const

const SIGNATURE = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])
const SHARED_FLAG = 0b10

/** A header with more parts than this is damaged: its continuations form a cycle. */
const MAX_PARTS = 4096

/** @returns undefined if this is not an HDF5 file @throws DamagedHeader; AbsentBytes */
export function readSuperblock(file: ByteFile): Superblock | undefined {
  const { byteLength: size } = file
  for (let base = 0; base + SIGNATURE.length <= size; base = base === 0 ? 512 : base * 2) {
    const head = readBytes(file, base, 96)
    if (!head.subarray(0, 8).equals(SIGNATURE)) continue
    if (head.length < 48) return { base, offsetSize: 8, lengthSize: 8, endOfFile: base + 96, size }
    const version = head[8]!
    const [offsetSize, lengthSize] = version < 2 ? [head[13]!, head[14]!] : [head[9]!, head[10]!]
    if (![offsetSize, lengthSize].every((bytes) => [2, 4, 8, 16, 32].includes(bytes))) {
      throw new DamagedHeader(`its addresses have ${offsetSize} bytes and its lengths ${lengthSize}`)
    }
    const addresses = version === 0 ? 24 : version === 1 ? 28 : 12
    // If a user block was prepended to a finished file, its addresses still count from 0.
    const shift = base - unsigned(head, addresses, offsetSize)
    const endOfFile = unsigned(head, addresses + 2 * offsetSize, offsetSize) + shift
    return { base, offsetSize, lengthSize, endOfFile, size }
  }
  return undefined
}

/**
 * All messages of the object whose header is at `address` (relative to the base), continuations included.
 * @throws DamagedHeader
 */
export function readObjectHeader(file: ByteFile, block: Superblock, address: number): HeaderMessage[] {
  const start = block.base + address
  const prefix = readBytes(file, start, 64)
  const messages: HeaderMessage[] = []
  if (prefix.subarray(0, 4).toString('latin1') !== 'OHDR') {
    const length = uint(prefix, 8, 4)
    parseParts(file, block, { start: start + 16, length }, { version: 1, ordered: false }, messages)
    return messages
  }
  const flags = uint(prefix, 5, 1)
  const sizeAt = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0)
  const sizeBytes = 1 << (flags & 3)
  const layout = { version: 2, ordered: (flags & 4) !== 0 } as const
  const length = unsigned(prefix, sizeAt, sizeBytes)
  parseParts(file, block, { start: start + sizeAt + sizeBytes, length }, layout, messages)
  return messages
}

/** A piece of the file with messages. */
interface Part {
  readonly start: number
  readonly length: number
}

interface MessageLayout {
  readonly version: 1 | 2
  readonly ordered: boolean
}

/** A header has parts in other places, each named by a message. */
function parseParts(
  file: ByteFile,
  block: Superblock,
  first: Part,
  layout: MessageLayout,
  into: HeaderMessage[],
): void {
  const parts = [first]
  for (let number = 0; number < parts.length; number++) {
    if (number > MAX_PARTS) throw new DamagedHeader(`an object has a header of more than ${MAX_PARTS} parts`)
    const { start, length } = parts[number]!
    for (const message of parseMessages(readBytes(file, start, length), start, layout)) {
      if (message.type === MESSAGE.continuation) parts.push(continuation(message.data, block, layout))
      else if (message.type !== 0) into.push(message)
    }
  }
}

function continuation(data: Buffer, block: Superblock, { version }: MessageLayout): Part {
  const start = block.base + unsigned(data, 0, block.offsetSize)
  const length = unsigned(data, block.offsetSize, block.lengthSize)
  // In version 2, a signature precedes continued messages and a checksum follows them.
  return version === 1 ? { start, length } : { start: start + 4, length: length - 8 }
}

function* parseMessages(bytes: Buffer, start: number, layout: MessageLayout): Generator<HeaderMessage> {
  const head = layout.version === 1 ? 8 : layout.ordered ? 6 : 4
  for (let at = 0; at + head <= bytes.length; ) {
    const type = layout.version === 1 ? bytes.readUInt16LE(at) : bytes[at]!
    const size = bytes.readUInt16LE(layout.version === 1 ? at + 2 : at + 1)
    const flags = layout.version === 1 ? bytes[at + 4]! : bytes[at + 3]!
    yield { type, flags, data: bytes.subarray(at + head, at + head + size), position: start + at + head }
    at += head + size
  }
}

/**
 * The message of one type; a shared message (a committed type) is read from the object that stores it.
 * @returns undefined if there is none, or if it is in a heap of shared messages
 */
export function findMessage(
  file: ByteFile,
  block: Superblock,
  messages: readonly HeaderMessage[],
  type: number,
): HeaderMessage | undefined {
  const found = messages.find((message) => message.type === type)
  if (found === undefined || (found.flags & SHARED_FLAG) === 0) return found
  const [version, kind] = [uint(found.data, 0, 1), uint(found.data, 1, 1)]
  if (version >= 3 && kind !== 2) return undefined
  const address = unsigned(found.data, version === 1 ? 8 + block.lengthSize : 2, block.offsetSize)
  return readObjectHeader(file, block, address).find((message) => message.type === type)
}

/** How the elements of a dataset are stored, bit by bit. */
export interface StoredType {
  /** HDF5's type class; for an enum, that of its base type. */
  readonly class: number
  readonly bytes: number
  readonly bigEndian: boolean
  readonly signed: boolean
  /** Integers: `offset/precision`. Floats: `offset/precision/exponent at/bits/mantissa at/bits/bias`. */
  readonly layout: string
  readonly isEnum: boolean
}

/** @param data a datatype message @see File Format Specification IV.A.2.d @throws DamagedHeader */
export function parseStoredType(data: Buffer): StoredType {
  const kind = uint(data, 0, 1) & 0x0f
  if (kind !== 8) return parseBaseType(data, kind)
  const base = data.subarray(8)
  return { ...parseBaseType(base, uint(base, 0, 1) & 0x0f), isEnum: true }
}

function parseBaseType(data: Buffer, kind: number): StoredType {
  const bits = uint(data, 1, 1)
  const known = kind === 0 || kind === 1 || kind === 4
  const numbers = known ? [uint(data, 8, 2), uint(data, 10, 2)] : []
  if (kind === 1) numbers.push(...[12, 13, 14, 15].map((at) => uint(data, at, 1)), uint(data, 16, 4))
  return {
    class: kind,
    bytes: uint(data, 4, 4),
    bigEndian: (bits & 1) !== 0,
    signed: kind === 0 && (bits & 8) !== 0,
    // VAX floats have a byte order that no other type has.
    layout: numbers.join('/') + (kind === 1 && (bits & 0x40) !== 0 ? '/VAX' : ''),
    isEnum: false,
  }
}

/**
 * The bytes of the fill value in the dataset's own type; undefined for HDF5's default, which is 0.
 * @see File Format Specification IV.A.2.e and f @throws DamagedHeader
 */
export function fillValueBytes(
  file: ByteFile,
  block: Superblock,
  messages: readonly HeaderMessage[],
): Buffer | undefined {
  const message = findMessage(file, block, messages, MESSAGE.fill)?.data
  if (message !== undefined) {
    const version = uint(message, 0, 1)
    const [defined, sizeAt] =
      version >= 3 ? [(uint(message, 1, 1) & 0x20) !== 0, 2] : [version === 1 || message[3] === 1, 4]
    return defined ? sizedBytes(message, sizeAt) : undefined
  }
  const old = findMessage(file, block, messages, MESSAGE.oldFill)?.data
  return old === undefined ? undefined : sizedBytes(old, 0)
}

/**
 * Whether a dataset has no fill value, not even HDF5's default.
 * @see File Format Specification IV.A.2.f @throws DamagedHeader
 */
export function lacksFillValue(file: ByteFile, block: Superblock, messages: readonly HeaderMessage[]): boolean {
  const message = findMessage(file, block, messages, MESSAGE.fill)?.data
  if (message === undefined) return false
  return uint(message, 0, 1) >= 3 ? (uint(message, 1, 1) & 0x10) !== 0 : uint(message, 0, 1) === 2 && message[3] === 0
}

/** A part of another file with raw data of a dataset. */
export interface ExternalPart {
  readonly name: string
  readonly offset: number
  /** In bytes; beyond the end of any file if it is unlimited. */
  readonly length: number
}

/**
 * The parts of other files that have a dataset's raw data, in order, if not this file has them.
 * @see File Format Specification IV.A.2.h and III.D @throws DamagedHeader
 */
export function externalParts(file: ByteFile, block: Superblock, messages: readonly HeaderMessage[]): ExternalPart[] {
  const { offsetSize, lengthSize } = block
  const data = findMessage(file, block, messages, MESSAGE.externalFiles)?.data
  if (data === undefined) return []
  const heap = readBytes(file, block.base + unsigned(data, 8, offsetSize), 8 + 2 * lengthSize + offsetSize)
  const namesAt = block.base + unsigned(heap, 8 + 2 * lengthSize, offsetSize)
  const count = Math.min(uint(data, 6, 2), Math.floor((data.length - 8 - offsetSize) / (3 * lengthSize)))
  return Array.from({ length: count }, (_, slot) => {
    const at = 8 + offsetSize + slot * 3 * lengthSize
    const name = readBytes(file, namesAt + unsigned(data, at, lengthSize), LONGEST_NAME)
    return {
      name: name.subarray(0, (name.indexOf(0) + 1 || name.length + 1) - 1).toString(),
      offset: unsigned(data, at + lengthSize, lengthSize),
      length: unsigned(data, at + 2 * lengthSize, lengthSize),
    }
  })
}

const LONGEST_NAME = 4096

function sizedBytes(data: Buffer, at: number): Buffer | undefined {
  if (data.length < at + 4) return undefined
  const size = data.readInt32LE(at)
  return size > 0 ? data.subarray(at + 4, at + 4 + size) : undefined
}

/** Fewer bytes at the end of the file, and none beyond it. @throws AbsentBytes */
export function readBytes(file: ByteFile, position: number, length: number): Buffer {
  const { byteLength: size } = file
  const buffer = Buffer.alloc(position >= 0 && position < size ? Math.max(0, Math.min(length, size - position)) : 0)
  return buffer.length === 0 ? buffer : buffer.subarray(0, file.read(buffer, position))
}

/** A number that has to be there. */
function uint(bytes: Buffer, at: number, size: 1 | 2 | 4): number {
  if (at + size <= bytes.length) return bytes.readUIntLE(at, size)
  throw new DamagedHeader(`a header ends after ${bytes.length} bytes, expected ${at + size} or more`)
}

/**
 * A little-endian unsigned number of 1 to 8 bytes; "undefined address" (all ones) becomes a number beyond the end of any file.
 */
export function unsigned(bytes: Buffer, at: number, size: number): number {
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
