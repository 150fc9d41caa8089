import fs from 'node:fs'
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { threadId } from 'node:worker_threads'
import { BlockwiseError, ConfigError, InfrastructureError } from '../../core/errors.ts'
import { errnoOf, isMissingFile, systemFailure } from '../../core/system-errors.ts'
import { InsideContainer } from './inside-container.ts'
import { awaitLockFile } from './lock-file.ts'
import {
  type GetOptions,
  MAX_METADATA_BYTES,
  type PartReader,
  parentKey,
  type Store,
  TEMPORARY_PREFIX,
} from './store.ts'

let writes = 0
// Processes on several machines share a folder, and their ids may be equal.
const writer = `${process.pid}-${threadId}-${Math.floor(Math.random() * 2 ** 32).toString(36)}`

/** A name that no reader mistakes for a chunk and no other write uses. */
const temporaryName = () => `${TEMPORARY_PREFIX}${writer}-${writes++}`

export interface FileStoreOptions {
  /** A write ends only when the file and its name are on the disk itself, to survive a power cut. @default false */
  readonly fsync?: boolean
  /**
   * The path in the folder as the user wrote it. If given, files to which symbolic links of the folder lead are not read unless they lie
   * in it, or in a folder on that path.
   */
  readonly insideOf?: string
  /** Called before a new file gets its name; if it throws, the old file stays. */
  readonly guard?: (() => void) | undefined
}

/**
 * A folder of a file system. A write goes to a temporary name in the same folder and is then renamed, so that a killed writer
 * leaves the old file or the new one. The files of a killed writer (`.tmp-*`) only cost disk space, and are removed when the
 * array is replaced.
 */
export function fileStore(root: string, { fsync = false, insideOf, guard = () => {} }: FileStoreOptions = {}): Store {
  const where = (key: string) => (key === '' ? root : join(root, key))
  const inside = insideOf === undefined ? undefined : new InsideContainer(root, insideOf)
  return {
    writable: true,
    where,
    get: (key, options) => readWhole(where(key), inside, options),
    getUnless: (key, known, options) => readUnless(where(key), inside, known, options),
    open: (key) => openParts(where(key), inside),
    put: (key, parts) => replaceFile(where(parentKey(key)), where(key), parts, { fsync, guard }),
    remove: (key) => removeTree(where(key)),
    lockGroups: () => lockGroups(root, fsync),
    async list(key) {
      const path = where(key)
      try {
        if (inside !== undefined && !(await inside.hasFolder(path))) return []
        const entries = await readdir(path, { withFileTypes: true })
        return entries
          .filter((entry) => !entry.name.startsWith(TEMPORARY_PREFIX))
          .map((entry) => ({ name: entry.name, isFolder: !entry.isFile() }))
          .sort((a, b) => (a.name < b.name ? -1 : 1))
      } catch (error) {
        if (isMissingFile(error) || errnoOf(error) === 'ELOOP') return undefined
        throw ioError('list', path, error)
      }
    },
  }
}

// Callbacks, because the promises of node:fs double the cost of reading a 256 kB chunk from the page cache.
const open = (path: string, flags: string | number) => call<number>((done) => fs.open(path, flags, done))
const close = (file: number) => call<void>((done) => fs.close(file, done))

function call<T>(start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => (error ? reject(error) : resolve(value as T))))
}

/** Fills `target` from `position` on; returns the number of bytes read, fewer at the end of the file. */
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

// Without this flag, opening a pipe waits for its writer. Windows does not have it.
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)

async function openIfThere(path: string, inside: InsideContainer | undefined): Promise<number | undefined> {
  try {
    if (inside === undefined) return await open(path, READ)
    await inside.assertFolderOf(path)
    return await openInside(path, inside)
  } catch (error) {
    if (isMissingFile(error)) return undefined
    throw ioError('read', path, error)
  }
}

/** What an open file is. @throws InfrastructureError `IO_ERROR` for pipes and devices, and for a file of more than `atMost` bytes */
async function statFile(file: number, path: string, atMost: number): Promise<fs.BigIntStats> {
  const stat = await call<fs.BigIntStats>((done) => fs.fstat(file, { bigint: true }, done))
  if (!stat.isFile() && !stat.isDirectory()) {
    throw new InfrastructureError('IO_ERROR', `Can't read ${path}: it is a pipe or a device, not a file; remove it.`)
  }
  if (stat.size > atMost) {
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `Can't read ${path}: it has ${stat.size} bytes, and at most ${atMost} are expected; restore it.`,
    )
  }
  return stat
}

async function openInside(path: string, inside: InsideContainer): Promise<number> {
  try {
    return await open(path, READ | (fs.constants.O_NOFOLLOW ?? 0))
  } catch (error) {
    if (errnoOf(error) !== 'ELOOP' && errnoOf(error) !== 'EMLINK') throw error
    return open(await inside.resolveLink(path), READ)
  }
}

async function readWhole(
  path: string,
  inside: InsideContainer | undefined,
  { into, atMost = MAX_METADATA_BYTES }: GetOptions = {},
): Promise<Uint8Array | undefined> {
  const file = await openIfThere(path, inside)
  if (file === undefined) return undefined
  try {
    const size = Number((await statFile(file, path, atMost)).size)
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
 * Files are never written in place here, so new content is a new file with another inode, time or size. They are read from the
 * open file: a network file system asks its server when a file is opened, but not for a stat of its name.
 */
async function readUnless(
  path: string,
  inside: InsideContainer | undefined,
  known: string | undefined,
  { atMost = MAX_METADATA_BYTES }: Pick<GetOptions, 'atMost'> = {},
) {
  const file = await openIfThere(path, inside)
  if (file === undefined) return undefined
  try {
    const { ino, mtimeNs, ctimeNs, size } = await statFile(file, path, atMost)
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

async function openParts(path: string, inside: InsideContainer | undefined): Promise<PartReader | undefined> {
  const file = await openIfThere(path, inside)
  if (file === undefined) return undefined
  const size = await statFile(file, path, Number.POSITIVE_INFINITY).then(
    (stat) => Number(stat.size),
    async (error) => {
      await close(file)
      throw error
    },
  )
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

async function replaceFile(
  folder: string,
  path: string,
  parts: readonly Uint8Array[],
  { fsync, guard }: { readonly fsync: boolean; readonly guard: () => void },
): Promise<void> {
  const temporary = join(folder, temporaryName())
  try {
    // Also before a folder is made: the array may be gone.
    guard()
    const file = await openNew(folder, temporary, fsync)
    try {
      let position = 0
      for (const part of parts) position = await writeFully(file, part, position)
      if (fsync) await sync(file)
    } finally {
      await close(file)
    }
    guard()
    await call<void>((done) => fs.rename(temporary, path, done))
    if (fsync) await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error instanceof BlockwiseError ? error : ioError('write', path, error)
  }
}

const sync = (file: number) => call<void>((done) => fs.fsync(file, done))

/** A file's name is on the disk only when its folder has been synced. */
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
    if (errnoOf(error) !== 'ENOENT') throw error
    await makeFolder(folder, fsync)
    return open(path, 'wx')
  }
}

/** Node's own `recursive` reports every failure as ENOENT, even a read-only file system. */
async function makeFolder(folder: string, fsync: boolean): Promise<void> {
  try {
    await mkdir(folder)
    if (fsync) await syncFolder(dirname(folder))
  } catch (error) {
    const code = errnoOf(error)
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

/** Of a container, while a process changes its groups: the metadata of a group name its arrays. */
const GROUPS_LOCK = `${TEMPORARY_PREFIX}groups-lock`

async function lockGroups(root: string, fsync: boolean): Promise<AsyncDisposable> {
  const isNew = !fs.existsSync(root)
  // It fails, as it should, for a container that has content by then.
  const removeIfEmpty = async () => {
    if (isNew) await rmdir(root).catch(() => {})
  }
  try {
    if (isNew) await makeFolder(root, fsync)
    const lock = await awaitLockFile(join(root, GROUPS_LOCK))
    return {
      async [Symbol.asyncDispose]() {
        await lock[Symbol.asyncDispose]()
        await removeIfEmpty()
      },
    }
  } catch (error) {
    await removeIfEmpty()
    throw ioError('write', root, error)
  }
}

/** Renames the tree before removing it, so that nobody sees a half-removed one. */
async function removeTree(path: string): Promise<void> {
  const hidden = join(path, '..', temporaryName())
  try {
    await rename(path, hidden)
    await rm(hidden, { recursive: true, force: true })
  } catch (error) {
    if (!isMissingFile(error)) throw ioError('remove', path, error)
  }
}

/** Turns a system error into a Bellis error that names the failed action and the path. */
function ioError(action: 'read' | 'list' | 'write' | 'remove', path: string, error: unknown): Error {
  if (error instanceof BlockwiseError) return error
  const failure = systemFailure(error)
  const options = { cause: error }
  if (failure === undefined) {
    return new InfrastructureError('IO_ERROR', `Can't ${action} ${path}: ${(error as Error).message}.`, options)
  }
  const { code, reason, remedy } = failure
  const what = `Can't ${action} ${path}: ${reason}; ${remedy}`
  if (code === 'DISK_FULL') return new InfrastructureError(code, `${what}, then resume.`, options)
  const isChange = action === 'write' || action === 'remove'
  // Only a failed write lets the user choose another output.
  return isChange || errnoOf(error) === 'EROFS'
    ? new ConfigError(code, `${what}.`, options)
    : new InfrastructureError('IO_ERROR', `${what}.`, options)
}
