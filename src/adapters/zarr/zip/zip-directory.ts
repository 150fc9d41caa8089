import { ConfigError } from '../../../core/errors.ts'

/** A file in a zip file. */
export interface ZipEntry {
  /** Where its local header starts, which its content follows. */
  readonly headerAt: number
  readonly storedBytes: number
  readonly bytes: number
  readonly method: 'stored' | 'deflate'
  readonly crc: number
}

/** Reads bytes of the zip file; fewer where it ends. */
export type ReadBytes = (offset: number, length: number) => Buffer

const END_MAGIC = 0x06054b50
const END_BYTES = 22
const MOST_COMMENT_BYTES = 65_535
const END64_MAGIC = 0x06064b50
const LOCATOR64_MAGIC = 0x07064b50
const LOCATOR64_BYTES = 20
const ENTRY_MAGIC = 0x02014b50
const ENTRY_BYTES = 46
const MOST_DIRECTORY_BYTES = 2 ** 29
const IN_EXTRA = 0xffffffff
const ENCRYPTED = 1

/**
 * The files of a zip file by their names, from the directory at its end. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @throws ConfigError `INVALID_METADATA` for what is no complete zip file, `UNSUPPORTED` for encrypted files and unknown compression
 */
export function readZipDirectory(path: string, size: number, read: ReadBytes): ReadonlyMap<string, ZipEntry> {
  const damaged = (why: string) =>
    new ConfigError('INVALID_METADATA', `${path} is no complete zip file: ${why}; was it cut short when it was copied?`)
  const { at, length } = findDirectory(size, read, damaged)
  const bytes = read(at, length)
  if (bytes.length !== length) throw damaged('its directory ends early')
  const entries = new Map<string, ZipEntry>()
  for (let from = 0; from < length; ) {
    if (length - from < ENTRY_BYTES || bytes.readUInt32LE(from) !== ENTRY_MAGIC)
      throw damaged('its directory is damaged')
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => bytes.readUInt16LE(from + field)) as [
      number,
      number,
      number,
    ]
    const extraAt = from + ENTRY_BYTES + nameBytes
    const end = extraAt + extraBytes + commentBytes
    if (end > length) throw damaged('its directory is damaged')
    const name = bytes.toString('utf8', from + ENTRY_BYTES, extraAt).replaceAll('\\', '/')
    const header = bytes.subarray(from, extraAt)
    if (!name.endsWith('/'))
      entries.set(name, parseEntry(path, name, header, bytes.subarray(extraAt, extraAt + extraBytes), damaged))
    from = end
  }
  return entries
}

type Damaged = (why: string) => ConfigError

function findDirectory(
  size: number,
  read: ReadBytes,
  damaged: Damaged,
): { readonly at: number; readonly length: number } {
  const tailAt = Math.max(0, size - END_BYTES - MOST_COMMENT_BYTES)
  const tail = read(tailAt, size - tailAt)
  let end = tail.length - END_BYTES
  // The comment after it may contain anything, but says how long it is.
  const isEnd = (at: number) =>
    tail.readUInt32LE(at) === END_MAGIC && at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length
  while (end >= 0 && !isEnd(end)) end--
  if (end < 0) throw damaged('it has no directory at its end')
  let [length, at] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)]
  if (length === IN_EXTRA || at === IN_EXTRA || tail.readUInt16LE(end + 10) === 0xffff) {
    const locator = read(tailAt + end - LOCATOR64_BYTES, LOCATOR64_BYTES)
    if (locator.length === LOCATOR64_BYTES && locator.readUInt32LE(0) === LOCATOR64_MAGIC) {
      const end64 = read(safe(locator.readBigUInt64LE(8), damaged), 56)
      if (end64.length < 56 || end64.readUInt32LE(0) !== END64_MAGIC) throw damaged('its directory is damaged')
      ;[length, at] = [safe(end64.readBigUInt64LE(40), damaged), safe(end64.readBigUInt64LE(48), damaged)]
    }
  }
  if (at + length > size || length > MOST_DIRECTORY_BYTES)
    throw damaged(`its directory of ${length} bytes does not fit`)
  return { at, length }
}

function safe(value: bigint, damaged: Damaged): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
  throw damaged('it names a place beyond any file')
}

function parseEntry(path: string, name: string, header: Buffer, extra: Buffer, damaged: Damaged): ZipEntry {
  const method = header.readUInt16LE(10)
  if ((method !== 0 && method !== 8) || (header.readUInt16LE(8) & ENCRYPTED) !== 0) {
    const what = method === 0 || method === 8 ? 'encrypted' : `compressed by method ${method}`
    throw new ConfigError(
      'UNSUPPORTED',
      `${path}: its file ${name} is ${what}; zip the folder again, with files stored as they are.`,
    )
  }
  const wide = wideNumbers(extra)
  const next = (value: number) => {
    if (value !== IN_EXTRA) return value
    const found = wide.shift()
    if (found === undefined) throw damaged('its directory is damaged')
    return safe(found, damaged)
  }
  // In this order in the extra field.
  const bytes = next(header.readUInt32LE(24))
  const storedBytes = next(header.readUInt32LE(20))
  const headerAt = next(header.readUInt32LE(42))
  if (method === 0 && bytes !== storedBytes) throw damaged(`the sizes of its file ${name} contradict each other`)
  return { headerAt, storedBytes, bytes, method: method === 0 ? 'stored' : 'deflate', crc: header.readUInt32LE(16) }
}

/** The 64-bit numbers of an entry, for those that 32 bits can't have. */
function wideNumbers(extra: Buffer): bigint[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue
    const end = Math.min(extra.length, at + 4 + extra.readUInt16LE(at + 2))
    return Array.from({ length: Math.floor((end - at - 4) / 8) }, (_, i) => extra.readBigUInt64LE(at + 4 + 8 * i))
  }
  return []
}
