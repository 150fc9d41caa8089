import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createUnzip } from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { systemFailure } from '../../core/system-errors.ts'
import type { ByteFile, ByteRange } from '../../ports/byte-file.ts'
import { localBytes } from '../files/local-bytes.ts'
import { byteStream } from '../ranges/byte-stream.ts'
import type { Packing, Stretch } from './flat-layout.ts'

/** Opens a file. @param namedBy the header that names it, if it is another one */
type OpenNamed = (path: string, namedBy?: string) => Promise<ByteFile>

/** The most that gzip can compress by. */
const HIGHEST_RATIO = 1032

/** Decompressed bytes that are written at once: Node's 16 KiB cost as much as decompressing them. */
const PIECE_BYTES = 2 ** 18

/** Files that are open at once, of arrays that lie in many. */
const MOST_OPEN = 8

/** Bytes that a file has at least. */
function leastSize({ start, byteLength }: Stretch, packing: Packing): number {
  if (packing === 'none') return start + byteLength
  if (packing === 'file') return Math.ceil((start + byteLength) / HIGHEST_RATIO)
  return start + Math.ceil(byteLength / HIGHEST_RATIO)
}

/** The voxels of an array as one row of bytes, wherever they are stored. */
export class VoxelBytes implements Disposable {
  readonly #stretches: readonly Stretch[]
  readonly #packing: Packing
  /** The first byte of each stretch, counted from the first of all. */
  readonly #starts: readonly number[]
  readonly #openFile: OpenNamed
  /** Open files by the index of their stretch, the one that was used last at the end. */
  readonly #open = new Map<number, ByteFile>()
  /** Decompressed files, which stay open until the array is closed. */
  readonly #unpacked = new Map<number, ByteFile>()
  readonly #unpacking = new Map<number, Promise<void>>()
  /** Folders of decompressed files that could not be removed at once. */
  readonly #folders: string[] = []
  #closed = false

  constructor(stretches: readonly Stretch[], packing: Packing, open: OpenNamed) {
    this.#stretches = stretches
    this.#openFile = open
    this.#packing = packing
    let start = 0
    this.#starts = stretches.map(({ byteLength }) => {
      start += byteLength
      return start - byteLength
    })
  }

  /**
   * Checks that the files of an array are there, and as long as its header says.
   * @param path of the header
   * @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`
   */
  async assertComplete(path: string): Promise<void> {
    for (const [index, stretch] of this.#stretches.entries()) {
      const { byteLength: size } = await this.#file(index, stretch.path === path ? undefined : path)
      const least = leastSize(stretch, this.#packing)
      if (size >= least) continue
      const needs = this.#packing === 'none' ? String(least) : `at least ${least}`
      throw new ConfigError(
        'INVALID_METADATA',
        `${stretch.path} has ${size} bytes, but the header of ${path} describes voxels that need ${needs}; the file was cut short, or is still being written.`,
      )
    }
  }

  /**
   * Makes some bytes ready to be read: decompresses files the first time.
   * @throws InfrastructureError `CORRUPT_DATA`, `DISK_FULL`, `IO_ERROR`
   */
  async prepare(from: number, to: number): Promise<void> {
    if (this.#packing === 'none') return
    for (
      let index = this.#indexAt(from);
      index < this.#starts.length && (this.#starts[index] as number) < to;
      index++
    ) {
      if (this.#unpacked.has(index)) continue
      const unpacking = this.#unpacking.get(index) ?? this.#unpack(index)
      this.#unpacking.set(index, unpacking)
      await unpacking.finally(() => this.#unpacking.delete(index))
    }
  }

  /**
   * Opens the files of some bytes, and fetches those behind an address. Until the result is disposed, they can be read.
   * @throws InfrastructureError `IO_ERROR`, `UNAUTHORIZED`
   */
  async load(ranges: readonly ByteRange[], signal: AbortSignal | undefined): Promise<Disposable> {
    const held: Disposable[] = []
    const wanted = new Map<number, ByteRange[]>()
    for (const range of ranges) {
      for (const { index, start, length } of this.#partsOf(range)) {
        wanted.set(index, [...(wanted.get(index) ?? []), { start, length }])
      }
    }
    const end = () => {
      for (const each of held.splice(0)) each[Symbol.dispose]()
      this.#closeOldest()
    }
    try {
      // Another read may close files while this one waits for others.
      while (held.length === 0 || ![...wanted.keys()].every((index) => this.#isOpen(index))) {
        for (const [index, parts] of wanted) held.push(await (await this.#file(index)).load(parts, signal))
        if (this.#closed || wanted.size === 0) break
      }
    } catch (error) {
      end()
      throw error
    }
    return { [Symbol.dispose]: end }
  }

  /**
   * Fills `into` from byte `position` on; they have been loaded.
   * @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  read(into: Uint8Array, position: number): void {
    let done = 0
    for (const { index, start, length } of this.#partsOf({ start: position, length: into.length })) {
      const file = this.#unpacked.get(index) ?? this.#open.get(index)
      const { path } = this.#stretches[index] as Stretch
      if (file === undefined) throw new InfrastructureError('IO_ERROR', `"${path}" was closed; open it again to read.`)
      readFully(file, path, into.subarray(done, done + length), start)
      done += length
    }
  }

  /** Where some bytes of the voxels are: the stretch, and the place in its file. */
  *#partsOf({ start: position, length }: ByteRange): Generator<ByteRange & { readonly index: number }> {
    for (let done = 0; done < length; ) {
      const index = this.#indexAt(position + done)
      const within = position + done - (this.#starts[index] as number)
      const { byteLength, start } = this.#stretches[index] as Stretch
      const part = Math.min(length - done, byteLength - within)
      yield { index, start: within + (this.#packing === 'none' ? start : 0), length: part }
      done += part
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const file of [...this.#open.values(), ...this.#unpacked.values()]) file[Symbol.dispose]()
    this.#open.clear()
    this.#unpacked.clear()
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  }

  /** The last stretch that starts at or before a byte. */
  #indexAt(position: number): number {
    let [low, high] = [0, this.#starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#starts[middle] as number) <= position) low = middle
      else high = middle - 1
    }
    return low
  }

  #isOpen(index: number): boolean {
    return this.#unpacked.has(index) || this.#open.has(index)
  }

  async #file(index: number, namedBy?: string): Promise<ByteFile> {
    const known = this.#unpacked.get(index) ?? this.#open.get(index)
    if (known === undefined) {
      const file = await this.#openFile((this.#stretches[index] as Stretch).path, namedBy)
      const other = this.#open.get(index)
      // Another read has opened it meanwhile.
      if (other !== undefined || this.#closed) file[Symbol.dispose]()
      if (other !== undefined || this.#closed) return other ?? file
      this.#open.set(index, file)
      return file
    }
    if (this.#open.delete(index)) this.#open.set(index, known)
    return known
  }

  /** Files behind addresses stay open, so that all that is read of one is of one version. */
  #closeOldest(): void {
    for (const [index, file] of this.#open) {
      if (this.#open.size <= MOST_OPEN) return
      if (file.isRemote) continue
      this.#open.delete(index)
      file[Symbol.dispose]()
    }
  }

  /** Decompresses a stretch into a file without a name, which ends with this process. */
  async #unpack(index: number): Promise<void> {
    const stretch = this.#stretches[index] as Stretch
    let folder: string | undefined
    try {
      folder = mkdtempSync(join(tmpdir(), 'bellis-unpacked-'))
      const target = join(folder, 'voxels')
      const unpacked = await unpackInto(target, await this.#file(index), stretch, this.#packing)
      if (unpacked < stretch.byteLength) throw cutShort(stretch.path, unpacked, stretch.byteLength)
      if (this.#closed) return
      this.#unpacked.set(index, localBytes(target))
    } catch (error) {
      if (error instanceof InfrastructureError) throw error
      throw unpackingFailed(stretch.path, error)
    } finally {
      if (folder !== undefined) this.#discard(folder)
    }
  }

  #discard(folder: string): void {
    try {
      rmSync(folder, { recursive: true, force: true })
    } catch {
      // Some systems keep the names of open files.
      this.#folders.push(folder)
    }
  }
}

/** @returns how many bytes there were, at most those of the stretch */
async function unpackInto(
  target: string,
  file: ByteFile,
  { start, byteLength }: Stretch,
  packing: Packing,
): Promise<number> {
  const isWhole = packing === 'file'
  let skipped = isWhole ? 0 : start
  let written = 0
  const atMost = new Transform({
    transform(chunk: Buffer, _, done) {
      const header = Math.min(chunk.length, start - skipped)
      const part = chunk.subarray(header, header + byteLength - written)
      skipped += header
      written += part.length
      done(null, part)
    },
  })
  await pipeline(
    byteStream(file, isWhole ? 0 : start),
    createUnzip({ chunkSize: PIECE_BYTES }),
    atMost,
    createWriteStream(target, { mode: 0o600 }),
  )
  return written
}

function unpackingFailed(path: string, error: unknown): InfrastructureError {
  const failure = systemFailure(error)
  if (failure?.code === 'DISK_FULL') {
    return new InfrastructureError(
      'DISK_FULL',
      `Can't decompress ${path} into ${tmpdir()}: ${failure.reason}; ${failure.remedy}, or set TMPDIR to a folder on another disk.`,
      { cause: error },
    )
  }
  if (/^(Z_|ERR_BUFFER)/.test((error as { code?: string }).code ?? '')) {
    return new InfrastructureError(
      'CORRUPT_DATA',
      `${path} is corrupt: ${(error as Error).message}; restore it from a copy.`,
      { cause: error },
    )
  }
  return new InfrastructureError('IO_ERROR', `Can't decompress ${path}: ${(error as Error).message}.`, { cause: error })
}

const cutShort = (path: string, found: number, expected: number): InfrastructureError =>
  new InfrastructureError(
    'CORRUPT_DATA',
    `${path} ends after ${found} of ${expected} bytes of voxels; it was cut short: restore it from a copy.`,
  )

function readFully(file: ByteFile, path: string, into: Uint8Array, position: number): void {
  let count: number
  try {
    count = file.read(into, position)
  } catch (error) {
    if (error instanceof InfrastructureError) throw error
    throw new InfrastructureError('IO_ERROR', `Can't read ${path}: ${(error as Error).message}.`, { cause: error })
  }
  if (count < into.length) throw cutShort(path, position + count, position + into.length)
}
