import { readSync } from 'node:fs'

/*
 * The parts of HDF5's file format for which h5wasm has no function: the expected end of the file, the fill value, and the
 * significant bits of an element. Section numbers refer to the "HDF5 File Format Specification", version 3.
 */

/** The start of an HDF5 file. All in bytes. */
export interface Superblock {
  /** Where the HDF5 part starts: above 0 if the file has a user block. */
  readonly base: number
  /** Size of an address, and of a length. */
  readonly offsetSize: number
  readonly lengthSize: number
  /** The length of the file according to its header. */
  readonly endOfFile: number
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
  datatype: 0x03,
  oldFill: 0x04,
  fill: 0x05,
  externalFiles: 0x07,
  continuation: 0x10,
  modified: 0x12,
} as const

const SIGNATURE = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])
const SHARED_FLAG = 0b10

/** @returns undefined if this is not an HDF5 file. @param size the file's length in bytes */
export function readSuperblock(fd: number, size: number): Superblock | undefined {
  for (let base = 0; base + SIGNATURE.length <= size; base = base === 0 ? 512 : base * 2) {
    const head = readBytes(fd, base, Math.min(96, size - base))
    if (!head.subarray(0, 8).equals(SIGNATURE)) continue
    if (head.length < 48) return { base, offsetSize: 8, lengthSize: 8, endOfFile: base + 96 }
    const version = head[8]!
    const [offsetSize, lengthSize] = version < 2 ? [head[13]!, head[14]!] : [head[9]!, head[10]!]
    const addresses = version === 0 ? 24 : version === 1 ? 28 : 12
    // If a user block was prepended to a finished file, its addresses still count from 0.
    const shift = base - unsigned(head, addresses, offsetSize)
    return { base, offsetSize, lengthSize, endOfFile: unsigned(head, addresses + 2 * offsetSize, offsetSize) + shift }
  }
  return undefined
}

/** All messages of the object whose header is at `address` (relative to the base), continuations included. */
export function readObjectHeader(fd: number, block: Superblock, address: number): HeaderMessage[] {
  const start = block.base + address
  const prefix = readBytes(fd, start, 64)
  const messages: HeaderMessage[] = []
  if (prefix.subarray(0, 4).toString('latin1') !== 'OHDR') {
    parseMessages(fd, block, start + 16, prefix.readUInt32LE(8), { version: 1, ordered: false }, messages)
    return messages
  }
  const flags = prefix[5]!
  const sizeAt = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0)
  const sizeBytes = 1 << (flags & 3)
  const layout = { version: 2, ordered: (flags & 4) !== 0 } as const
  parseMessages(fd, block, start + sizeAt + sizeBytes, unsigned(prefix, sizeAt, sizeBytes), layout, messages)
  return messages
}

function parseMessages(
  fd: number,
  block: Superblock,
  start: number,
  length: number,
  layout: { readonly version: 1 | 2; readonly ordered: boolean },
  into: HeaderMessage[],
): void {
  const bytes = readBytes(fd, start, length)
  const head = layout.version === 1 ? 8 : layout.ordered ? 6 : 4
  let at = 0
  while (at + head <= bytes.length) {
    const type = layout.version === 1 ? bytes.readUInt16LE(at) : bytes[at]!
    const size = bytes.readUInt16LE(layout.version === 1 ? at + 2 : at + 1)
    const flags = layout.version === 1 ? bytes[at + 4]! : bytes[at + 3]!
    const data = bytes.subarray(at + head, at + head + size)
    if (type === MESSAGE.continuation) {
      const next = block.base + unsigned(data, 0, block.offsetSize)
      const nextLength = unsigned(data, block.offsetSize, block.lengthSize)
      // In version 2, a signature precedes continued messages and a checksum follows them.
      if (layout.version === 1) parseMessages(fd, block, next, nextLength, layout, into)
      else parseMessages(fd, block, next + 4, nextLength - 8, layout, into)
    } else if (type !== 0) {
      into.push({ type, flags, data, position: start + at + head })
    }
    at += head + size
  }
}

/**
 * The message of one type; a shared message (a committed type) is read from the object that stores it.
 * @returns undefined if there is none, or if it is in a heap of shared messages
 */
export function findMessage(
  fd: number,
  block: Superblock,
  messages: readonly HeaderMessage[],
  type: number,
): HeaderMessage | undefined {
  const found = messages.find((message) => message.type === type)
  if (found === undefined || (found.flags & SHARED_FLAG) === 0) return found
  const [version, kind] = [found.data[0]!, found.data[1]!]
  if (version >= 3 && kind !== 2) return undefined
  const address = unsigned(found.data, version === 1 ? 8 + block.lengthSize : 2, block.offsetSize)
  return readObjectHeader(fd, block, address).find((message) => message.type === type)
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

/** @param data a datatype message @see File Format Specification IV.A.2.d */
export function parseStoredType(data: Buffer): StoredType {
  const kind = data[0]! & 0x0f
  const bits = data[1]!
  const bytes = data.readUInt32LE(4)
  if (kind === 8) return { ...parseStoredType(data.subarray(8)), isEnum: true }
  const known = kind === 0 || kind === 1 || kind === 4
  const numbers = known ? [data.readUInt16LE(8), data.readUInt16LE(10)] : []
  if (kind === 1) numbers.push(data[12]!, data[13]!, data[14]!, data[15]!, data.readUInt32LE(16))
  return {
    class: kind,
    bytes,
    bigEndian: (bits & 1) !== 0,
    signed: kind === 0 && (bits & 8) !== 0,
    // VAX floats have a byte order that no other type has.
    layout: numbers.join('/') + (kind === 1 && (bits & 0x40) !== 0 ? '/VAX' : ''),
    isEnum: false,
  }
}

/**
 * The bytes of the fill value in the dataset's own type; undefined for HDF5's default, which is 0.
 * @see File Format Specification IV.A.2.e and f
 */
export function fillValueBytes(fd: number, block: Superblock, messages: readonly HeaderMessage[]): Buffer | undefined {
  const message = findMessage(fd, block, messages, MESSAGE.fill)?.data
  if (message !== undefined) {
    const version = message[0]!
    const [defined, sizeAt] = version >= 3 ? [(message[1]! & 0x20) !== 0, 2] : [version === 1 || message[3] === 1, 4]
    return defined ? sizedBytes(message, sizeAt) : undefined
  }
  const old = findMessage(fd, block, messages, MESSAGE.oldFill)?.data
  return old === undefined ? undefined : sizedBytes(old, 0)
}

/**
 * The names of the files that have a dataset's raw data, if not this file has them.
 * @see File Format Specification IV.A.2.h and III.D
 */
export function externalFileNames(fd: number, block: Superblock, messages: readonly HeaderMessage[]): string[] {
  const { offsetSize, lengthSize } = block
  const data = findMessage(fd, block, messages, MESSAGE.externalFiles)?.data
  if (data === undefined) return []
  const heap = readBytes(fd, block.base + unsigned(data, 8, offsetSize), 8 + 2 * lengthSize + offsetSize)
  const namesAt = block.base + unsigned(heap, 8 + 2 * lengthSize, offsetSize)
  const count = Math.min(data.readUInt16LE(6), Math.floor((data.length - 8 - offsetSize) / (3 * lengthSize)))
  return Array.from({ length: count }, (_, slot) => {
    const nameAt = namesAt + unsigned(data, 8 + offsetSize + slot * 3 * lengthSize, lengthSize)
    const name = readBytes(fd, nameAt, LONGEST_NAME)
    return name.subarray(0, (name.indexOf(0) + 1 || name.length + 1) - 1).toString()
  })
}

const LONGEST_NAME = 4096

function sizedBytes(data: Buffer, at: number): Buffer | undefined {
  if (data.length < at + 4) return undefined
  const size = data.readInt32LE(at)
  return size > 0 ? data.subarray(at + 4, at + 4 + size) : undefined
}

function readBytes(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length)
  return buffer.subarray(0, readSync(fd, buffer, 0, length, position))
}

/**
 * A little-endian unsigned number of 1 to 8 bytes; "undefined address" (all ones) becomes a number beyond the end of any file.
 */
function unsigned(bytes: Buffer, at: number, size: number): number {
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
