import fs from 'node:fs'
import { readdir, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, isMissingFile } from '../../../core/system-errors.ts'
import { awaitLockFile } from '../lock-file.ts'
import { MAX_METADATA_BYTES, type Store, TEMPORARY_PREFIX } from '../store.ts'
import { ioError } from './file-errors.ts'
import { FilePace } from './file-pace.ts'
import { InsideContainer } from './inside-container.ts'
import { LentMemory } from './lent-memory.ts'
import { openParts, readFile } from './read-file.ts'
import {
  type FileWriting,
  isTemporaryName,
  makeFolder,
  replaceFile,
  syncFolder,
  temporaryName,
} from './replace-file.ts'

export interface FileStoreOptions {
  /** A write ends only when the file and its name are on the disk itself, to survive a power cut. @default false */
  readonly fsync?: boolean
  /**
   * The path in the folder as the user wrote it. If given, files to which symbolic links of the folder lead are neither read, written nor
   * removed unless they lie in it, or in a folder on that path.
   */
  readonly insideOf?: string
  /** Called before a new file gets its name, and before a file is removed; if it throws, the old file stays. */
  readonly guard?: (() => void) | undefined
}

/**
 * A folder of a file system. A write goes to a temporary name in the same folder and is then renamed, so that a killed writer
 * leaves the old file or the new one. The files of a killed writer (`.tmp-*`) only cost disk space, and are removed when the
 * array is replaced.
 */
export function fileStore(root: string, { fsync = false, insideOf, guard = () => {} }: FileStoreOptions = {}): Store {
  const where = (key: string) => (key === '' ? root : join(root, key))
  const pace = new FilePace()
  const inside = insideOf === undefined ? undefined : new InsideContainer(root, insideOf, pace)
  const reading = { inside, pace }
  const writing = { fsync, guard, pace: new FilePace(), inside }
  const memory = new LentMemory()
  return {
    writable: true,
    where,
    isFast: () => reading.pace.isFast && writing.pace.isFast && !fsync,
    async get(key, { into, atMost = MAX_METADATA_BYTES } = {}) {
      const found = await readFile(where(key), reading, {
        atMost,
        memory: (size) => (into?.length === size ? into : new Uint8Array(size)),
      })
      return found === 'same' ? undefined : found?.bytes
    },
    lend: (key, { known, atMost = MAX_METADATA_BYTES }, use) =>
      memory.lend(async (take) => {
        const found = await readFile(where(key), reading, { known, atMost, memory: take })
        return typeof found === 'object' ? { used: await use(found.bytes, found.version) } : found
      }),
    open: (key) => openParts(where(key), reading),
    async put(key, parts) {
      await inside?.assertPlace(where(key), 'write')
      return replaceFile(where(key), parts, writing)
    },
    async remove(key) {
      if (key !== '') await inside?.assertPlace(where(key), 'remove')
      return removeTree(where(key), writing)
    },
    async makeFolder(key) {
      const path = where(key)
      await inside?.assertPlace(join(path, 'x'), 'write')
      guard()
      await makeFolder(path, fsync).catch((error) => {
        throw ioError('write', path, error)
      })
    },
    assertInside: async (key) => inside?.assertFolder(where(key), where(key)),
    sweep: (key) => sweep(dirname(where(key))),
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

/** Trees that a removal has moved away are folders; all other temporary names are those of files. */
async function sweep(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    if (!entry.isDirectory() || !isTemporaryName(entry.name)) continue
    // Another process may be removing it, too, or it may belong to another user.
    await rm(join(folder, entry.name), { recursive: true, force: true }).catch(() => {})
  }
}

/** Renames the tree before removing it, so that nobody sees a half-removed one. */
async function removeTree(path: string, { guard, fsync }: FileWriting): Promise<void> {
  const hidden = join(path, '..', temporaryName())
  guard()
  try {
    await rename(path, hidden)
    if (fsync) await syncFolder(dirname(path))
    await rm(hidden, { recursive: true, force: true })
  } catch (error) {
    if (!isMissingFile(error)) throw ioError('remove', path, error)
  }
}
