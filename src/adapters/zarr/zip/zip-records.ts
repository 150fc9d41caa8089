/** A file in a zip file that is being written: stored as it is. */
export interface StoredFile {
  readonly name: string
  readonly bytes: number
  readonly crc: number
  /** Where its header starts. */
  readonly headerAt: number
}

/** Version 4.5 of the format, which has 64-bit numbers. */
const VERSION = 45
const UTF8_NAMES = 1 << 11
/** 1980-01-01, the first day that a zip file can name: equal contents make equal files. */
const FIRST_DAY = (1 << 5) | 1
const IN_EXTRA = 0xffffffff

/** The header of a file, with its name: its content follows. All numbers have 64 bits, as OME-NGFF recommends. */
export function fileHeader({ name, bytes, crc }: Omit<StoredFile, 'headerAt'>): Buffer {
  const text = Buffer.from(name)
  const record = Buffer.alloc(30 + text.length + 20)
  record.writeUInt32LE(0x04034b50, 0)
  record.writeUInt16LE(VERSION, 4)
  writeCommon(record, 6, crc, text.length, 20)
  text.copy(record, 30)
  writeWide(record, 30 + text.length, [bytes, bytes])
  return record
}

/** What the directory says of a file. */
export function directoryEntry({ name, bytes, crc, headerAt }: StoredFile): Buffer {
  const text = Buffer.from(name)
  const record = Buffer.alloc(46 + text.length + 28)
  record.writeUInt32LE(0x02014b50, 0)
  // Made on a system with the rights of Unix: files that everybody may read.
  record.writeUInt16LE((3 << 8) | VERSION, 4)
  record.writeUInt16LE(VERSION, 6)
  writeCommon(record, 8, crc, text.length, 28)
  record.writeUInt32LE((0o100644 << 16) >>> 0, 38)
  record.writeUInt32LE(IN_EXTRA, 42)
  text.copy(record, 46)
  writeWide(record, 46 + text.length, [bytes, bytes, headerAt])
  return record
}

/** What follows the directory. @param comment UTF-8, at most 65,535 bytes */
export function directoryEnd(
  directory: { readonly at: number; readonly bytes: number; readonly files: number },
  comment: string,
): Buffer {
  const text = Buffer.from(comment)
  const record = Buffer.alloc(56 + 20 + 22 + text.length)
  record.writeUInt32LE(0x06064b50, 0)
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE((3 << 8) | VERSION, 12)
  record.writeUInt16LE(VERSION, 14)
  record.writeBigUInt64LE(BigInt(directory.files), 24)
  record.writeBigUInt64LE(BigInt(directory.files), 32)
  record.writeBigUInt64LE(BigInt(directory.bytes), 40)
  record.writeBigUInt64LE(BigInt(directory.at), 48)
  record.writeUInt32LE(0x07064b50, 56)
  record.writeBigUInt64LE(BigInt(directory.at + directory.bytes), 64)
  record.writeUInt32LE(1, 72)
  record.writeUInt32LE(0x06054b50, 76)
  record.writeUInt16LE(0xffff, 84)
  record.writeUInt16LE(0xffff, 86)
  record.writeUInt32LE(IN_EXTRA, 88)
  record.writeUInt32LE(IN_EXTRA, 92)
  record.writeUInt16LE(text.length, 96)
  text.copy(record, 98)
  return record
}

/** The fields that a header and the directory have in the same order. */
function writeCommon(record: Buffer, at: number, crc: number, nameBytes: number, extraBytes: number): void {
  record.writeUInt16LE(UTF8_NAMES, at)
  record.writeUInt16LE(FIRST_DAY, at + 6)
  record.writeUInt32LE(crc, at + 8)
  record.writeUInt32LE(IN_EXTRA, at + 12)
  record.writeUInt32LE(IN_EXTRA, at + 16)
  record.writeUInt16LE(nameBytes, at + 20)
  record.writeUInt16LE(extraBytes, at + 22)
}

function writeWide(record: Buffer, at: number, values: readonly number[]): void {
  record.writeUInt16LE(1, at)
  record.writeUInt16LE(8 * values.length, at + 2)
  for (const [i, value] of values.entries()) record.writeBigUInt64LE(BigInt(value), at + 4 + 8 * i)
}
