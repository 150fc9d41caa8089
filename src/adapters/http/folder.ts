import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { Unavailable } from '../../core/unavailable.ts'
import type { Resource, ResourceTree } from '../../ports/resource.ts'
import { isAt, liesBelow } from '../files/open-file.ts'

export interface FolderOptions {
  /** Whether the file may be read. */
  readonly allows: (names: readonly string[]) => boolean
  readonly contentType?: (name: string) => string
  /** Whether symbolic links that stay inside the folder are followed. @default true */
  readonly followsLinks?: boolean
}

// A pipe in place of a file must not block the server; Windows has neither flag.
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0)
const PIECE = 1 << 20

/**
 * The files of a folder. A symbolic link is followed only if it stays inside the folder.
 * @param root may be, or lie behind, a symbolic link
 */
export function folderTree(
  root: string,
  { allows, contentType = typeOf, followsLinks = true }: FolderOptions,
): ResourceTree {
  return {
    async open(names) {
      if (names.length === 0 || !allows(names)) return undefined
      const file = await openInside(root, names, followsLinks)
      return file === undefined ? undefined : fileResource(file, contentType(names.at(-1) as string))
    },
  }
}

const typeOf = (name: string): string =>
  /\.json$|^\.z(array|attrs|group|metadata)$/.test(name) ? 'application/json' : 'application/octet-stream'

/** Errors of a path that leads to no file. Clients can't tell missing, unreadable and outside files apart. */
const NOTHING = new Set(['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG', 'ENXIO', 'EINVAL'])
/** Errors after which the same request may succeed. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EBUSY', 'EINTR'])

/**
 * @returns undefined if there is nothing that may be read
 * @throws Unavailable if too many files are open; the system's error if the disk fails: a chunk must not seem to be missing then
 */
async function openInside(
  root: string,
  names: readonly string[],
  followsLinks: boolean,
): Promise<FileHandle | undefined> {
  try {
    const base = await realpath(root)
    const named = join(base, ...names)
    const path = await realpath(named)
    if (!liesBelow(path, base) || (path !== named && !followsLinks)) return undefined
    const file = await open(path, READ)
    // A folder of the path may have been replaced by a link since.
    if (isAt(file.fd, path)) return file
    await file.close()
    return undefined
  } catch (error) {
    const errno = errnoOf(error) ?? ''
    if (NOTHING.has(errno)) return undefined
    if (PASSING.has(errno)) {
      throw new Unavailable(`This file can't be opened at the moment (${errno}); try again soon.`, { cause: error })
    }
    throw error
  }
}

async function fileResource(file: FileHandle, contentType: string): Promise<Resource | undefined> {
  const { ino, mtimeNs, ctimeNs, size, isFile } = await statOf(file).catch(async (error: unknown) => {
    await file.close()
    throw error
  })
  if (!isFile) {
    await file.close()
    return undefined
  }
  return {
    contentType,
    size: Number(size),
    version: [ino, mtimeNs, ctimeNs, size].map((value) => value.toString(36)).join('-'),
    async *read(start, end) {
      for (let position = start; position < end; ) {
        const { bytesRead, buffer } = await file.read({
          buffer: Buffer.allocUnsafe(Math.min(PIECE, end - position)),
          position,
        })
        // The file was truncated while it was being read: the client sees a short response, and no wrong bytes.
        if (bytesRead === 0) return
        position += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    },
    [Symbol.asyncDispose]: () => file.close(),
  }
}

async function statOf(file: FileHandle) {
  const stat = await file.stat({ bigint: true })
  return { ino: stat.ino, mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs, size: stat.size, isFile: stat.isFile() }
}
