import type { ByteFile } from '../../../ports/byte-file.ts'

/*
 * HDF5 reads files behind addresses as if they were on a disk: they are mounted under names that no file has. A call that lacks bytes fails;
 * its caller fetches them, and makes the same call again. Files on disks are looked at once HDF5 has opened them.
 */

/** A stream of Emscripten, as far as it matters here. */
interface Stream {
  position: number
  mounted?: Mounted
}

/** The file system of Emscripten, as far as it matters here. */
export interface LibraryFileSystem {
  getStream(fd: number): unknown
  createStream(stream: object): unknown
  ErrnoError: new (errno: number) => Error
  open(path: string, flags: number | string, mode?: number): unknown
  stat(path: string, ...rest: readonly unknown[]): unknown
  lstat(path: string): unknown
  close(stream: unknown): void
  fstat(fd: number): unknown
  write(...args: readonly unknown[]): number
}

interface Mounted {
  readonly file: ByteFile
  /** HDF5 takes files of the same number for the same file. */
  readonly inode: number
  users: number
}

const ROOT = '/bellis-ranges/'
const ENOENT = 44
const EIO = 29
const EACCES = 2
const REGULAR_FILE = 0o100444

const mounted = new Map<string, Mounted>()
let inodes = 0
/** Why reads of the call that is under way failed: what they lacked, or may not have. */
let lacking: unknown
/** Whether that call may see mounted files, and no others. */
let seesMounted = false
let check: FileCheck | undefined

/** Throws for a file on a disk that may not be read. */
export type FileCheck = (file: number, path: string) => void

/** What a call of HDF5 may read. */
export interface CallAccess {
  /** Whether it is about a file that is mounted: then it can't open files on disks, and otherwise none that is mounted. @default false */
  readonly isRemote?: boolean
  /** Called for each file on a disk that the library opens. */
  readonly check?: FileCheck | undefined
}

/** Mounts a file for HDF5 until the result is disposed. A file that is open twice is mounted once. */
export function mountFile(file: ByteFile): Disposable & { readonly name: string } {
  const name = normalised(ROOT + namesIn(file.path))
  const known = mounted.get(name)
  const own = known?.file === file ? known : { file, inode: ++inodes, users: 0 }
  own.users++
  // A file that was replaced has its name from now on; streams of the old one keep to that.
  mounted.set(name, own)
  return {
    name,
    [Symbol.dispose]() {
      if (--own.users === 0 && mounted.get(name) === own) mounted.delete(name)
    },
  }
}

/**
 * Makes a call of HDF5.
 * @throws AbsentBytes for bytes that it lacked, and what the check threw, whatever it returned
 */
export function callMounted<T>(access: CallAccess, call: () => T): T {
  seesMounted = access.isRemote ?? false
  check = access.check
  lacking = undefined
  try {
    return call()
  } finally {
    seesMounted = false
    check = undefined
    const reason = lacking
    lacking = undefined
    // biome-ignore lint/correctness/noUnsafeFinally: the reason of a failure, which counts in place of its consequences.
    if (reason !== undefined) throw reason
  }
}

/** Lets HDF5 open files that are mounted. */
export function serveMounted(fs: LibraryFileSystem): void {
  const { open, stat, lstat, fstat } = fs
  const find = (path: string): Mounted | undefined => {
    const found = seesMounted ? mounted.get(normalised(path)) : undefined
    if (seesMounted && found === undefined) throw new fs.ErrnoError(ENOENT)
    return found
  }
  fs.open = (path, flags, mode) => {
    const found = find(path)
    return found === undefined ? checked(fs, open(path, flags, mode), path) : fs.createStream(streamOf(fs, path, found))
  }
  fs.stat = (path, ...rest) => statOf(find(path)) ?? stat(path, ...rest)
  fs.lstat = (path) => statOf(find(path)) ?? lstat(path)
  fs.fstat = (fd) => statOf((fs.getStream(fd) as Stream | undefined)?.mounted) ?? fstat(fd)
}

/** HDF5 opens the files that others name by itself: it gets none that lies elsewhere by now. */
function checked(fs: LibraryFileSystem, stream: unknown, path: string): unknown {
  const { nfd } = stream as { readonly nfd?: number }
  try {
    if (nfd !== undefined) check?.(nfd, path)
    return stream
  } catch (error) {
    lacking ??= error
    fs.close(stream)
    throw new fs.ErrnoError(EACCES)
  }
}

/** The path of an address as files name each other: without percent signs. */
function namesIn(address: string): string {
  const [scheme, path] = address.split('://') as [string, string]
  if (!/^https?$/i.test(scheme)) return `${scheme}/${path}`
  try {
    return `${scheme}/${decodeURIComponent(path)}`
  } catch {
    return `${scheme}/${path}`
  }
}

/** Without `.` and `..`. */
function normalised(path: string): string {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '.' && name !== '') names.push(name)
  }
  return `/${names.join('/')}`
}

function statOf(found: Mounted | undefined) {
  if (found === undefined) return undefined
  const { inode, file } = found
  const time = new Date(0)
  return {
    ...{ dev: 0x6265, ino: inode, mode: REGULAR_FILE, nlink: 1, uid: 0, gid: 0, rdev: 0 },
    ...{ size: file.byteLength, blksize: 4096, blocks: 0, atime: time, mtime: time, ctime: time },
  }
}

function streamOf(fs: LibraryFileSystem, path: string, found: Mounted): object {
  const { file, inode } = found
  return {
    ...{ path, mounted: found, position: 0, flags: 0, seekable: true },
    node: { id: inode, mode: REGULAR_FILE, node_ops: {}, path },
    stream_ops: {
      read(_: Stream, heap: Int8Array, offset: number, length: number, position: number): number {
        const into = new Uint8Array(heap.buffer, heap.byteOffset + offset, length)
        try {
          return file.read(into, position)
        } catch (error) {
          lacking ??= error
          throw new fs.ErrnoError(EIO)
        }
      },
      llseek(stream: Stream, offset: number, whence: number): number {
        return whence === 1 ? stream.position + offset : whence === 2 ? file.byteLength + offset : offset
      },
    },
  }
}
