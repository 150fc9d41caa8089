import fs from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { BlockwiseError } from '../../../core/errors.ts'
import { errnoOf } from '../../../core/system-errors.ts'
import { TEMPORARY_PREFIX } from '../store.ts'
import { close, open, rename, sync, writeFully, writeFullySync } from './file-calls.ts'
import { ioError } from './file-errors.ts'
import { type FilePace, letLoopTurn } from './file-pace.ts'
import type { InsideContainer } from './inside-container.ts'

let writes = 0
// Processes on several machines share a folder, and their ids may be equal.
const writer = `${process.pid}-${threadId}-${Math.floor(Math.random() * 2 ** 32).toString(36)}`

/** A name that no reader mistakes for a chunk and no other write uses. */
export const temporaryName = (): string => `${TEMPORARY_PREFIX}${writer}-${writes++}`

/** Whether a name is one that {@link temporaryName} has made, in any process. */
export const isTemporaryName = (name: string): boolean => /^\.tmp-\d+-\d+-[\da-z]+-\d+$/.test(name)

/** How the files of a folder are written. */
export interface FileWriting {
  /** A write ends only when the file and its name are on the disk itself. */
  readonly fsync: boolean
  /** Called before a folder is made, and before a file gets its name; if it throws, the old file stays. */
  readonly guard: () => void
  readonly pace: FilePace
  /** If given, files elsewhere, where a link leads that was put in place of a folder, are not written. */
  readonly inside?: InsideContainer | undefined
}

/**
 * Writes a file under a temporary name and renames it, so that a reader at any moment, and a writer that is killed, leave the old file or
 * the new one.
 * @throws what `guard` throws; InfrastructureError `DISK_FULL`, `IO_ERROR`; ConfigError `READ_ONLY`
 */
export async function replaceFile(path: string, parts: readonly Uint8Array[], writing: FileWriting): Promise<void> {
  const { fsync, guard, pace } = writing
  const folder = dirname(path)
  const temporary = join(folder, temporaryName())
  try {
    const pieces = joinNeighbours(parts)
    // A disk that has to confirm what it has written is slow.
    if (!fsync && pace.callsHere()) {
      await letLoopTurn()
      if (replaceHere(path, temporary, pieces, writing)) return
      // The array may be gone, and then its folder is not made again.
      guard()
      await makeFolder(folder, fsync)
      if (replaceHere(path, temporary, pieces, writing)) return
    }
    const file = await openNew(folder, temporary, writing)
    try {
      await writing.inside?.assertHolds(file, path, 'write')
      let position = 0
      for (const piece of pieces) position = await writeFully(file, piece, position)
      if (fsync) await sync(file)
    } finally {
      await close(file)
    }
    guard()
    await rename(temporary, path)
    if (fsync) await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error instanceof BlockwiseError ? error : ioError('write', path, error)
  }
}

/** @returns false if there is no such folder yet, or it may lie elsewhere */
function replaceHere(path: string, temporary: string, pieces: readonly Uint8Array[], writing: FileWriting): boolean {
  const start = performance.now()
  let file: number
  try {
    file = fs.openSync(temporary, 'wx')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
  let isInside = true
  try {
    isInside = writing.inside?.holds(file) ?? true
    if (isInside) for (const piece of pieces) writeFullySync(file, piece)
  } finally {
    fs.closeSync(file)
  }
  if (!isInside) {
    fs.rmSync(temporary, { force: true })
    return false
  }
  writing.guard()
  fs.renameSync(temporary, path)
  writing.pace.note(performance.now() - start, byteCount(pieces))
  return true
}

const byteCount = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0)

/** The same bytes in fewer pieces: the chunks of a shard are encoded one behind the other, and each call for a file costs some microseconds. */
export function joinNeighbours(parts: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (const part of parts) {
    const last = pieces.at(-1)
    const isNext = last?.buffer === part.buffer && last.byteOffset + last.length === part.byteOffset
    if (last === undefined || !isNext) pieces.push(part)
    else pieces[pieces.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + part.length)
  }
  return pieces
}

async function openNew(folder: string, path: string, { guard, fsync }: FileWriting): Promise<number> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    // The array may be gone, and then its folder is not made again.
    guard()
    await makeFolder(folder, fsync)
    return open(path, 'wx')
  }
}

/** Node's own `recursive` reports every failure as ENOENT, even a read-only file system, and never ends where a folder takes no others. */
export async function makeFolder(folder: string, fsync: boolean): Promise<void> {
  try {
    await makeOne(folder, fsync)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder), fsync)
    await makeOne(folder, fsync)
  }
}

async function makeOne(folder: string, fsync: boolean): Promise<void> {
  try {
    await mkdir(folder)
    if (fsync) await syncFolder(dirname(folder))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  }
}

/** A file's name is on the disk only when its folder has been synced. */
export async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r')
  try {
    await sync(file)
  } finally {
    await close(file)
  }
}
