import fs from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { type PartReader, parentKey, type Store, TEMPORARY_PREFIX } from './store.ts'

let writes = 0
// Processes on several machines share a folder, and their numbers can agree.
const writer = `${process.pid}-${threadId}-${Math.floor(Math.random() * 2 ** 32).toString(36)}`

/** A name that no reader takes for a chunk and no other write uses. */
const temporaryName = () => `${TEMPORARY_PREFIX}${writer}-${writes++}`

/**
 * A folder of a file system. A write goes to a temporary name in the same folder and is renamed, so a kill leaves the old
 * file or the new one. What a killed writer leaves (`.tmp-*`) costs disk space alone, and goes with the array when it is replaced.
 * @param options `fsync`: a write ends when it is on the disk itself, with its name, against a loss of power. @default false
 */
export function fileStore(root: string, { fsync = false }: { readonly fsync?: boolean } = {}): Store {
  const where = (key: string) => (key === '' ? root : join(root, key))
  return {
    writable: true,
    where,
    get: (key, into) => readWhole(where(key), into),
    getUnless: (key, known) => readUnless(where(key), known),
    open: (key) => openParts(where(key)),
    put: (key, parts) => replaceFile(where(parentKey(key)), where(key), parts, fsync),
    remove: (key) => removeTree(where(key)),
    async list(key) {
      const path = where(key)
      try {
        const entries = await readdir(path, { withFileTypes: true })
        return entries
          .filter((entry) => !entry.name.startsWith(TEMPORARY_PREFIX))
          .map((entry) => ({ name: entry.name, isFolder: !entry.isFile() }))
          .sort((a, b) => (a.name < b.name ? -1 : 1))
      } catch (error) {
        if (isMissing(error)) return undefined
        throw ioError('list', path, error)
      }
    },
  }
}

// Plain callbacks: the promises of node:fs cost as much again as reading a chunk of 256 kB from the page cache.
const open = (path: string, flags: string) => call<number>((done) => fs.open(path, flags, done))
const close = (file: number) => call<void>((done) => fs.close(file, done))
const sizeOf = async (file: number) => (await call<fs.Stats>((done) => fs.fstat(file, done))).size

function call<T>(start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value as T))))
}

/** Fills `target` from `position` on; returns how much there was. */
async function readFully(file: number, target: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < target.length) {
    const count = await call<number>((back) => {
      fs.read(file, target, done, target.length - done, position + done, back)
    })
    if (count === 0) break
    done += count
  }
  return done
}

async function openIfThere(path: string): Promise<number | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw ioError('read', path, error)
  }
}

async function readWhole(path: string, into: Uint8Array | undefined): Promise<Uint8Array | undefined> {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  try {
    const size = await sizeOf(file)
    const target = into?.length === size ? into : new Uint8Array(size)
    const count = await readFully(file, target, 0)
    return count === size ? target : target.subarray(0, count)
  } catch (error) {
    throw ioError('read', path, error)
  } finally {
    await close(file)
  }
}

/**
 * A file is never written in place here, so another content is another file: number, times and size tell. Taken from the
 * opened file, since a network file system asks its server then, and not for a mere look at the name.
 */
async function readUnless(path: string, known: string | undefined) {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  try {
    const { ino, mtimeNs, ctimeNs, size } = await call<fs.BigIntStats>((done) => fs.fstat(file, { bigint: true }, done))
    const version = `${ino} ${mtimeNs} ${ctimeNs} ${size}`
    if (version === known) return 'same' as const
    const target = new Uint8Array(Number(size))
    return { bytes: target.subarray(0, await readFully(file, target, 0)), version }
  } catch (error) {
    throw ioError('read', path, error)
  } finally {
    await close(file)
  }
}

async function openParts(path: string): Promise<PartReader | undefined> {
  const file = await openIfThere(path)
  if (file === undefined) return undefined
  const size = await sizeOf(file)
  let isOpen = true
  const read = async (offset: number, length: number) => {
    const target = new Uint8Array(Math.max(0, Math.min(length, size - offset)))
    try {
      return target.subarray(0, await readFully(file, target, offset))
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

async function replaceFile(folder: string, path: string, parts: readonly Uint8Array[], fsync: boolean): Promise<void> {
  const temporary = join(folder, temporaryName())
  try {
    const file = await openNew(folder, temporary, fsync)
    try {
      let position = 0
      for (const part of parts) position = await writeFully(file, part, position)
      if (fsync) await sync(file)
    } finally {
      await close(file)
    }
    await call<void>((done) => fs.rename(temporary, path, done))
    if (fsync) await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw ioError('write', path, error)
  }
}

const sync = (file: number) => call<void>((done) => fs.fsync(file, done))

/** A name is on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r')
  try {
    await sync(file)
  } finally {
    await close(file)
  }
}

async function openNew(folder: string, path: string, fsync: boolean): Promise<number> {
  try {
    return await open(path, 'wx')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    await makeFolder(folder, fsync)
    return open(path, 'wx')
  }
}

/** Node's own `recursive` calls every failure ENOENT, also a file system that is read-only. */
async function makeFolder(folder: string, fsync: boolean): Promise<void> {
  try {
    await mkdir(folder)
    if (fsync) await syncFolder(dirname(folder))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(folder) === folder) throw error
    await makeFolder(dirname(folder), fsync)
    await makeFolder(folder, fsync)
  }
}

async function writeFully(file: number, part: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < part.length) {
    done += await call<number>((back) => fs.write(file, part, done, part.length - done, position + done, back))
  }
  return position + done
}

/** Renamed away first: from then on nobody finds a part of it, however long its files take to go. */
async function removeTree(path: string): Promise<void> {
  const hidden = join(path, '..', temporaryName())
  try {
    await rename(path, hidden)
    await rm(hidden, { recursive: true, force: true })
  } catch (error) {
    if (!isMissing(error)) throw ioError('remove', path, error)
  }
}

const isMissing = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException
  // A folder where a file is looked for, or the other way round: there is no such file either.
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR'
}

/** A system error as one of ours, saying what could not be done where. */
function ioError(action: string, path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  const options = { cause: error }
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const why = code === 'ENOSPC' ? 'the disk is full' : 'the disk quota is used up'
      return new InfrastructureError(
        'DISK_FULL',
        `Can't ${action} ${path}: ${why}; free some space, then resume.`,
        options,
      )
    }
    case 'EROFS':
      return new ConfigError(
        'READ_ONLY',
        `Can't ${action} ${path}: the file system is read-only; choose another place.`,
        options,
      )
    case 'EACCES':
    case 'EPERM': {
      const what = `Can't ${action} ${path}: permission denied; check the owner and mode of its folder.`
      return action === 'write' || action === 'remove'
        ? new ConfigError('READ_ONLY', what, options)
        : new InfrastructureError('IO_ERROR', what, options)
    }
    default:
      return new InfrastructureError('IO_ERROR', `Can't ${action} ${path}: ${message}.`, options)
  }
}
