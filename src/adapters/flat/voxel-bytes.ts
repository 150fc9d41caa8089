import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createUnzip } from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { systemFailure } from '../../core/system-errors.ts'
import { openFile } from '../files/open-file.ts'
import { openingFailed } from '../files/opening-failed.ts'
import type { Packing, Stretch } from './flat-layout.ts'

/** The most that gzip can compress by. */
const HIGHEST_RATIO = 1032

/** Files that are open at once, of arrays that lie in many. */
const MOST_OPEN = 8

/**
 * Checks that the files of an array are there, and as long as its header says.
 * @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`
 */
export function assertComplete(path: string, stretches: readonly Stretch[], packing: Packing): void {
  for (const stretch of stretches) {
    const size = sizeOf(path, stretch)
    const least = leastSize(stretch, packing)
    if (size >= least) continue
    const needs = packing === 'none' ? String(least) : `at least ${least}`
    throw new ConfigError(
      'INVALID_METADATA',
      `${stretch.path} has ${size} bytes, but the header of ${path} describes voxels that need ${needs}; the file was cut short, or is still being written.`,
    )
  }
}

/** Bytes that a file has at least. */
function leastSize({ start, byteLength }: Stretch, packing: Packing): number {
  if (packing === 'none') return start + byteLength
  if (packing === 'file') return Math.ceil((start + byteLength) / HIGHEST_RATIO)
  return start + Math.ceil(byteLength / HIGHEST_RATIO)
}

function sizeOf(path: string, stretch: Stretch): number {
  try {
    const found = statSync(stretch.path)
    // A pipe has no size, and would be waited for.
    return found.isFile() ? found.size : 0
  } catch (error) {
    throw openingFailed(stretch.path, error, stretch.path === path ? undefined : path)
  }
}

/** The voxels of an array as one row of bytes, wherever they are stored. */
export class VoxelBytes implements Disposable {
  readonly #stretches: readonly Stretch[]
  readonly #packing: Packing
  /** The first byte of each stretch, counted from the first of all. */
  readonly #starts: readonly number[]
  /** Open files by the index of their stretch, the one that was used last at the end. */
  readonly #open = new Map<number, number>()
  /** Decompressed files, which stay open until the array is closed. */
  readonly #unpacked = new Map<number, number>()
  readonly #unpacking = new Map<number, Promise<void>>()
  /** Folders of decompressed files that could not be removed at once. */
  readonly #folders: string[] = []
  #closed = false

  constructor(stretches: readonly Stretch[], packing: Packing) {
    this.#stretches = stretches
    this.#packing = packing
    let start = 0
    this.#starts = stretches.map(({ byteLength }) => {
      start += byteLength
      return start - byteLength
    })
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
   * Fills `into` from byte `position` on.
   * @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR`
   */
  read(into: Uint8Array, position: number): void {
    for (let done = 0; done < into.length; ) {
      const index = this.#indexAt(position + done)
      const within = position + done - (this.#starts[index] as number)
      const { byteLength, start, path } = this.#stretches[index] as Stretch
      const part = into.subarray(done, done + byteLength - within)
      readFully(this.#file(index), path, part, within + (this.#packing === 'none' ? start : 0))
      done += part.length
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true
    for (const file of [...this.#open.values(), ...this.#unpacked.values()]) closeSync(file)
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

  #file(index: number): number {
    const unpacked = this.#unpacked.get(index)
    if (unpacked !== undefined) return unpacked
    const open = this.#open.get(index)
    if (open !== undefined) {
      this.#open.delete(index)
      this.#open.set(index, open)
      return open
    }
    const { path } = this.#stretches[index] as Stretch
    if (this.#open.size >= MOST_OPEN) {
      const [oldest, file] = this.#open.entries().next().value as [number, number]
      this.#open.delete(oldest)
      closeSync(file)
    }
    const file = openFile(path)
    this.#open.set(index, file)
    return file
  }

  /** Decompresses a stretch into a file without a name, which ends with this process. */
  async #unpack(index: number): Promise<void> {
    const stretch = this.#stretches[index] as Stretch
    let folder: string | undefined
    try {
      folder = mkdtempSync(join(tmpdir(), 'bellis-unpacked-'))
      const target = join(folder, 'voxels')
      const unpacked = await unpackInto(target, stretch, this.#packing)
      if (unpacked < stretch.byteLength) throw cutShort(stretch.path, unpacked, stretch.byteLength)
      if (this.#closed) return
      this.#unpacked.set(index, openSync(target, 'r'))
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
async function unpackInto(target: string, { path, start, byteLength }: Stretch, packing: Packing): Promise<number> {
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
    createReadStream(path, { start: isWhole ? 0 : start }),
    createUnzip(),
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

function readFully(file: number, path: string, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    let count: number
    try {
      count = readSync(file, into, done, into.length - done, position + done)
    } catch (error) {
      throw new InfrastructureError('IO_ERROR', `Can't read ${path}: ${(error as Error).message}.`, { cause: error })
    }
    if (count === 0) throw cutShort(path, position + done, position + into.length)
    done += count
  }
}
