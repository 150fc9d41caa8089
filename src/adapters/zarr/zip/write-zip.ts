import fs from 'node:fs'
import { join } from 'node:path'
import { setImmediate as letLoopTurn } from 'node:timers/promises'
import zlib from 'node:zlib'
import { writeFullySync } from '../files/file-calls.ts'
import { ioError } from '../files/file-errors.ts'
import { directoryEnd, directoryEntry, fileHeader, type StoredFile } from './zip-records.ts'

/** How much is read, or written, with one call. */
const PIECE_BYTES = 8 * 2 ** 20

export interface WriteZipOptions {
  /** Whether a file or folder of the folder is left out, by its name alone. @default none */
  readonly leavesOut?: (name: string) => boolean
  /** Of the whole zip file. @default '' */
  readonly comment?: string
}

/**
 * Puts the files of a folder into a new zip file, stored as they are: the metadata of Zarr 3 first, outer groups before what is in them, as
 * OME-NGFF recommends. https://ngff.openmicroscopy.org/rfc/9/
 * It is on the disk when this returns.
 * @param target replaced if it exists
 * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
 */
export async function writeZip(folder: string, target: string, options: WriteZipOptions = {}): Promise<void> {
  const { leavesOut = () => false, comment = '' } = options
  const names = await filesIn(folder, leavesOut)
  try {
    const zip = new ZipWriter(target)
    try {
      for (const name of inOrder(names)) {
        if (zip.add(name, join(folder, name))) await letLoopTurn()
      }
      zip.finish(comment)
    } finally {
      zip[Symbol.dispose]()
    }
  } catch (error) {
    throw ioError('write', target, error)
  }
}

/** The paths of all files below a folder, with `/` between names. */
async function filesIn(folder: string, leavesOut: (name: string) => boolean): Promise<string[]> {
  const files: string[] = []
  const folders = ['']
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    const entries = await fs.promises.readdir(join(folder, next), { withFileTypes: true }).catch((error) => {
      throw ioError('list', folder, error)
    })
    for (const entry of entries) {
      if (leavesOut(entry.name)) continue
      const path = next === '' ? entry.name : `${next}/${entry.name}`
      if (entry.isDirectory()) folders.push(path)
      else files.push(path)
    }
  }
  return files
}

/** The metadata of Zarr 3 by their depth, then all others by name. */
function inOrder(names: readonly string[]): string[] {
  const depthOf = (name: string) => (/(^|\/)zarr\.json$/.test(name) ? name.split('/').length : Number.MAX_SAFE_INTEGER)
  const ranked = names.map((name) => [depthOf(name), name] as const)
  return ranked.sort(([a, left], [b, right]) => a - b || (left < right ? -1 : 1)).map(([, name]) => name)
}

/** Appends files to a zip file. */
class ZipWriter implements Disposable {
  readonly #file: number
  readonly #files: StoredFile[] = []
  /** What was added and is not written yet. */
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #position = 0

  constructor(path: string) {
    this.#file = fs.openSync(path, 'w')
  }

  /** @returns whether something was written: that takes a while */
  add(name: string, path: string): boolean {
    const from = fs.openSync(path, 'r')
    try {
      const { size } = fs.fstatSync(from)
      const headerAt = this.#position
      const written = size > PIECE_BYTES ? this.#addLarge(name, from) : this.#addSmall(name, from, size)
      this.#files.push({ name, headerAt, ...written })
    } finally {
      fs.closeSync(from)
    }
    if (this.#pendingBytes < PIECE_BYTES) return false
    this.#flush()
    return true
  }

  finish(comment: string): void {
    const at = this.#position
    for (const file of this.#files) {
      this.#append(directoryEntry(file))
      if (this.#pendingBytes >= PIECE_BYTES) this.#flush()
    }
    this.#append(directoryEnd({ at, bytes: this.#position - at, files: this.#files.length }, comment))
    this.#flush()
    fs.fsyncSync(this.#file)
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#file)
  }

  #addSmall(name: string, from: number, size: number): Pick<StoredFile, 'bytes' | 'crc'> {
    const content = Buffer.allocUnsafe(size)
    const read = content.subarray(0, readPiece(from, content))
    const file = { bytes: read.length, crc: zlib.crc32(read) }
    this.#append(fileHeader({ name, ...file }))
    this.#append(read)
    return file
  }

  /** Its checksum is known at the end, so its header is written then. */
  #addLarge(name: string, from: number): Pick<StoredFile, 'bytes' | 'crc'> {
    const headerAt = this.#position
    this.#append(fileHeader({ name, bytes: 0, crc: 0 }))
    this.#flush()
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let file = { bytes: 0, crc: 0 }
    for (let length = readPiece(from, piece); length > 0; length = readPiece(from, piece)) {
      const content = piece.subarray(0, length)
      file = { bytes: file.bytes + length, crc: zlib.crc32(content, file.crc) }
      writeFullySync(this.#file, content)
      this.#position += length
    }
    const header = fileHeader({ name, ...file })
    for (let done = 0; done < header.length; )
      done += fs.writeSync(this.#file, header, done, header.length - done, headerAt + done)
    return file
  }

  #append(bytes: Uint8Array): void {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    this.#position += bytes.length
  }

  #flush(): void {
    writeFullySync(this.#file, Buffer.concat(this.#pending, this.#pendingBytes))
    this.#pending = []
    this.#pendingBytes = 0
  }
}

/** Reads on where the last read ended. @returns the number of bytes: fewer at the end of the file */
function readPiece(file: number, into: Buffer): number {
  let done = 0
  while (done < into.length) {
    const count = fs.readSync(file, into, done, into.length - done, null)
    if (count === 0) break
    done += count
  }
  return done
}
