import fs from 'node:fs'
import zlib from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../../core/errors.ts'
import { openFile } from '../../files/open-file.ts'
import { readFullySync } from '../../files/read-fully.ts'
import { type GetOptions, joinKey, MAX_METADATA_BYTES, type PartReader, type Store, type StoreEntry } from '../store.ts'
import { readZipDirectory, type ZipEntry } from './zip-directory.ts'

/** Names of containers in one file. */
export const ZIP_SUFFIX = /\.(zip|ozx)$/i

/** Folders in each other of a file that is listed: none of an array lies as deep, and time and memory are its square. */
const MAX_DEPTH = 256

const LOCAL_MAGIC = 0x04034b50
const LOCAL_BYTES = 30

/** The error of a write. */
export const zipIsRead = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${path} is a zip file, which is written once, by a run; write to a folder such as out.zarr, and zip it.`,
  )

/** A container in a zip file, for reading: files are stored as they are, or deflated. */
export function zipStore(path: string): Store {
  let loaded: Directory | undefined
  const directory = () => (loaded ??= loadDirectory(path))
  const where = (key: string) => (key === '' ? path : `${path}/${key}`)
  const readOnly = async (): Promise<never> => {
    throw zipIsRead(path)
  }
  const read = (key: string, entry: ZipEntry, { atMost = MAX_METADATA_BYTES }: Pick<GetOptions, 'atMost'> = {}) => {
    if (Math.max(entry.bytes, entry.storedBytes) > atMost) {
      throw new InfrastructureError(
        'IO_ERROR',
        `${where(key)} has ${entry.bytes} bytes, and at most ${atMost} are expected.`,
      )
    }
    return contentOf(path, where(key), entry)
  }
  return {
    writable: false,
    where,
    async get(key, options = {}) {
      const entry = directory().files.get(key)
      if (entry === undefined) return undefined
      const bytes = read(key, entry, options)
      if (options.into?.length !== bytes.length) return bytes
      options.into.set(bytes)
      return options.into
    },
    async open(key, options = {}) {
      const entry = directory().files.get(key)
      if (entry === undefined) return undefined
      return entry.method === 'stored' ? storedParts(path, where(key), entry) : partsOf(read(key, entry, options))
    },
    put: readOnly,
    remove: readOnly,
    list: async (key) => directory().folders.get(key),
  }
}

/** The names of all files in a zip file. @throws what opening it throws */
export const namesInZip = (path: string): readonly string[] => [...loadDirectory(path).files.keys()]

interface Directory {
  readonly files: ReadonlyMap<string, ZipEntry>
  readonly folders: ReadonlyMap<string, readonly StoreEntry[]>
}

/** @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`, `UNSUPPORTED`; InfrastructureError `IO_ERROR` */
function loadDirectory(path: string): Directory {
  const files = withFile(path, (file) =>
    readZipDirectory(path, fs.fstatSync(file).size, (offset, length) => readAt(file, offset, length)),
  )
  const folders = new Map<string, Map<string, StoreEntry>>([['', new Map()]])
  for (const name of files.keys()) {
    const names = name.split('/', MAX_DEPTH + 1)
    if (names.length > MAX_DEPTH) continue
    let end = 0
    for (const [depth, entry] of names.entries()) {
      // A slice shares the memory of the name.
      const folder = name.slice(0, Math.max(0, end - 1))
      end += entry.length + 1
      const entries = folders.get(folder) ?? new Map<string, StoreEntry>()
      folders.set(folder, entries)
      if (depth < names.length - 1 || !entries.has(entry))
        entries.set(entry, { name: entry, isFolder: depth < names.length - 1 })
    }
  }
  const sorted = (entries: Map<string, StoreEntry>) => [...entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  return { files, folders: new Map([...folders].map(([key, entries]) => [joinKey(key), sorted(entries)])) }
}

function withFile<T>(path: string, use: (file: number) => T): T {
  const file = openFile(path)
  try {
    return use(file)
  } finally {
    fs.closeSync(file)
  }
}

/** Fewer bytes where the file ends. */
function readAt(file: number, offset: number, length: number): Buffer {
  if (offset < 0 || length <= 0) return Buffer.alloc(0)
  const buffer = Buffer.allocUnsafe(length)
  return buffer.subarray(0, readFullySync(file, buffer, offset))
}

const corrupt = (file: string, why: string, cause?: unknown): InfrastructureError =>
  new InfrastructureError('CORRUPT_DATA', `${file} is corrupt: ${why}; restore the zip file from a copy.`, { cause })

/** Where the content of a file starts, behind its local header. */
function startOf(file: number, name: string, { headerAt }: ZipEntry): number {
  const header = readAt(file, headerAt, LOCAL_BYTES)
  if (header.length < LOCAL_BYTES || header.readUInt32LE(0) !== LOCAL_MAGIC)
    throw corrupt(name, 'its header is missing')
  return headerAt + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28)
}

function contentOf(path: string, name: string, entry: ZipEntry): Uint8Array {
  const stored = withFile(path, (file) => readAt(file, startOf(file, name, entry), entry.storedBytes))
  if (stored.length !== entry.storedBytes) throw corrupt(name, 'it ends early')
  let bytes: Buffer = stored
  if (entry.method === 'deflate') {
    try {
      bytes = zlib.inflateRawSync(stored, { maxOutputLength: Math.max(1, entry.bytes) })
    } catch (error) {
      throw corrupt(name, (error as Error).message, error)
    }
  }
  if (bytes.length !== entry.bytes) throw corrupt(name, `it has ${bytes.length} bytes, expected ${entry.bytes}`)
  if (zlib.crc32(bytes) !== entry.crc) throw corrupt(name, 'its checksum is wrong')
  return bytes
}

/** Parts of a file that is stored as it is; those of a shard have checksums of their own. */
function storedParts(path: string, name: string, entry: ZipEntry): PartReader {
  const part = (offset: number, length: number) =>
    withFile(path, (file) => {
      const from = Math.min(offset, entry.bytes)
      return readAt(file, startOf(file, name, entry) + from, Math.min(length, entry.bytes - from))
    })
  return {
    read: async (offset, length) => part(offset, length),
    readEnd: async (length) => part(Math.max(0, entry.bytes - length), length),
    async [Symbol.asyncDispose]() {},
  }
}

const partsOf = (bytes: Uint8Array): PartReader => ({
  read: async (offset, length) => bytes.subarray(offset, offset + length),
  readEnd: async (length) => bytes.subarray(Math.max(0, bytes.length - length)),
  async [Symbol.asyncDispose]() {},
})
