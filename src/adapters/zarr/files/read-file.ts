import fs from 'node:fs'
import { dirname } from 'node:path'
import { InfrastructureError } from '../../../core/errors.ts'
import { errnoOf, isMissingFile } from '../../../core/system-errors.ts'
import { readFullySync } from '../../files/read-fully.ts'
import type { PartReader } from '../store.ts'
import { close, open, readFully, stat } from './file-calls.ts'
import { ioError } from './file-errors.ts'
import { type FilePace, letLoopTurn } from './file-pace.ts'
import type { InsideContainer } from './inside-container.ts'

/** How the files of a folder are read. */
export interface FileReading {
  /** If given, files elsewhere, to which symbolic links lead, are not read. */
  readonly inside: InsideContainer | undefined
  readonly pace: FilePace
}

/** What is wanted of a file. */
export interface WantedFile {
  /** A version of which the content is known. */
  readonly known?: string | undefined
  /** A larger file is an error. */
  readonly atMost: number
  /** @returns memory for the content, exactly `size` bytes */
  memory(size: number): Uint8Array
}

/** The content of a file, and what tells it from its former and later ones. */
export interface ReadFile {
  readonly bytes: Uint8Array
  readonly version: string
}

// Without the flag, opening a pipe waits for its writer. Windows does not have it.
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)
const NO_LINK = READ | (fs.constants.O_NOFOLLOW ?? 0)

/**
 * Reads a file, unless its version is the known one.
 * @returns undefined if there is none
 * @throws InfrastructureError `IO_ERROR`, `CORRUPT_DATA` for a file that is too large
 */
export async function readFile(
  path: string,
  { inside, pace }: FileReading,
  wanted: WantedFile,
): Promise<ReadFile | 'same' | undefined> {
  if (pace.callsHere()) {
    await letLoopTurn()
    if (inside !== undefined && !inside.knowsFolderOf(path)) await inside.assertFolder(dirname(path), path)
    const start = performance.now()
    const found = readHere(path, inside, wanted)
    if (found !== 'link') {
      pace.note(performance.now() - start, typeof found === 'object' ? found.bytes.length : 0)
      return found
    }
  }
  const file = await openIfThere(path, inside)
  if (file === undefined) return undefined
  try {
    const found = checkFile(await stat(file), path, wanted)
    if (found === 'same') return 'same'
    const bytes = wanted.memory(found.size)
    return { bytes: cut(bytes, await readFully(file, bytes, 0)), version: found.version }
  } catch (error) {
    throw ioError('read', path, error)
  } finally {
    await close(file)
  }
}

/** @returns `link` for a file that is, or may lie behind, a link */
function readHere(
  path: string,
  inside: InsideContainer | undefined,
  wanted: WantedFile,
): ReadFile | 'same' | 'link' | undefined {
  let file: number
  try {
    file = fs.openSync(path, inside === undefined ? READ : NO_LINK)
  } catch (error) {
    if (inside !== undefined && isLink(error)) return 'link'
    if (isMissingFile(error)) return undefined
    throw ioError('read', path, error)
  }
  try {
    if (inside?.holds(file) === false) return 'link'
    const found = checkFile(fs.fstatSync(file, { bigint: true }), path, wanted)
    if (found === 'same') return 'same'
    const bytes = wanted.memory(found.size)
    return { bytes: cut(bytes, readFullySync(file, bytes, 0)), version: found.version }
  } catch (error) {
    throw ioError('read', path, error)
  } finally {
    fs.closeSync(file)
  }
}

const cut = (bytes: Uint8Array, count: number) => (count === bytes.length ? bytes : bytes.subarray(0, count))

/**
 * Files are never written in place here, so new content is a new file with another inode, time or size. This is asked of the
 * open file: a network file system asks its server when a file is opened, but not for a stat of its name.
 */
function checkFile(
  found: fs.BigIntStats,
  path: string,
  { known, atMost }: Pick<WantedFile, 'known' | 'atMost'>,
): 'same' | { readonly size: number; readonly version: string } {
  assertReadable(found, path, atMost)
  const { ino, mtimeNs, ctimeNs, size } = found
  const version = `${ino} ${mtimeNs} ${ctimeNs} ${size}`
  return version === known ? 'same' : { size: Number(size), version }
}

/** @throws InfrastructureError `IO_ERROR` for pipes and devices, `CORRUPT_DATA` for a file of more than `atMost` bytes */
function assertReadable(found: fs.BigIntStats, path: string, atMost: number): void {
  if (!found.isFile() && !found.isDirectory()) {
    throw new InfrastructureError('IO_ERROR', `Can't read ${path}: it is a pipe or a device, not a file; remove it.`)
  }
  if (found.size > atMost) {
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `Can't read ${path}: it has ${found.size} bytes, and at most ${atMost} are expected; restore it.`,
    )
  }
}

const isLink = (error: unknown): boolean => errnoOf(error) === 'ELOOP' || errnoOf(error) === 'EMLINK'

async function openIfThere(path: string, inside: InsideContainer | undefined): Promise<number | undefined> {
  try {
    if (inside === undefined) return await open(path, READ)
    await inside.assertFolder(dirname(path), path)
    return await openInside(path, inside)
  } catch (error) {
    if (isMissingFile(error)) return undefined
    throw ioError('read', path, error)
  }
}

async function openInside(path: string, inside: InsideContainer): Promise<number> {
  const file = await openLinked(path, inside)
  try {
    await inside.assertHolds(file, path, 'read')
    return file
  } catch (error) {
    await close(file)
    throw error
  }
}

async function openLinked(path: string, inside: InsideContainer): Promise<number> {
  try {
    return await open(path, NO_LINK)
  } catch (error) {
    if (!isLink(error)) throw error
    return open(await inside.resolveLink(path), READ)
  }
}

/** Opens a file for partial reads. @returns undefined if there is none */
export async function openParts(path: string, { inside, pace }: FileReading): Promise<PartReader | undefined> {
  const file = await openIfThere(path, inside)
  if (file === undefined) return undefined
  let size: number
  try {
    const found = await stat(file)
    assertReadable(found, path, Number.POSITIVE_INFINITY)
    size = Number(found.size)
  } catch (error) {
    await close(file)
    throw error
  }
  let isOpen = true
  const read = async (offset: number, length: number) => {
    const target = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
    try {
      return cut(target, await readPart(file, target, offset, pace))
    } catch (error) {
      throw ioError('read', path, error)
    }
  }
  return {
    read,
    readEnd: (length) => read(Math.max(0, size - length), length),
    async [Symbol.asyncDispose]() {
      if (isOpen) await close(file)
      isOpen = false
    },
  }
}

async function readPart(file: number, target: Uint8Array, offset: number, pace: FilePace): Promise<number> {
  if (!pace.callsHere()) return readFully(file, target, offset)
  await letLoopTurn()
  const start = performance.now()
  const count = readFullySync(file, target, offset)
  pace.note(performance.now() - start, count)
  return count
}
