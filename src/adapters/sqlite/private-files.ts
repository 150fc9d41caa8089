import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { errnoOf } from '../../core/system-errors.ts'

const OWNER_AND_GROUP = 0o660
const OWNER = 0o600
const GROUP_READS = 0o040
const GROUP_WRITES = 0o020
const OTHERS = 0o007
const READABLE = 0o666

/**
 * Creates a file that processes lock. Whoever can read a file can lock it, so only those may read it who may write it.
 * @param content one that is not empty keeps SQLite from giving the file the mode of its database
 * @throws the system's error, `EEXIST` if there is one
 */
export function createLockable(path: string, content = ''): void {
  const file = openSync(path, 'wx', OWNER_AND_GROUP)
  try {
    if ((fstatSync(file).mode & GROUP_WRITES) === 0) fchmodSync(file, OWNER)
    if (content !== '') writeSync(file, content)
  } finally {
    closeSync(file)
  }
}

/**
 * Makes sure that only those who may write a database can lock the memory that its processes share, in the file beside it: SQLite creates
 * that with the mode of the database, and one lock of a reader would hold up all writers. To be called before the database is opened.
 * @param file a database
 * @param isWriter whether this process is the only one that writes: it replaces a file that others may have locked already
 */
export function protectSharedMemory(file: string, isWriter: boolean): void {
  const shared = `${file}-shm`
  const found = lstatSync(shared, { throwIfNoEntry: false })
  try {
    if (found !== undefined && isWriter && found.isFile() && isLockableByReaders(found.mode)) rmSync(shared)
    else if (found !== undefined) return
    createLockable(shared, 'new')
  } catch (error) {
    // Another process was faster, or SQLite says why nothing can be created.
    if (errnoOf(error) === undefined) throw error
  }
}

const isLockableByReaders = (mode: number): boolean =>
  (mode & OTHERS) !== 0 || (mode & (GROUP_READS | GROUP_WRITES)) === GROUP_READS

/** Whether this user can't use the memory that the processes of a database share, so that a copy has to be read. */
export function isSharedMemoryForbidden(file: string): boolean {
  try {
    accessSync(`${file}-shm`, constants.R_OK)
    return false
  } catch (error) {
    return errnoOf(error) === 'EACCES'
  }
}

/** Creates the file of a database that nobody else can lock until {@link showDatabase}; does nothing if it is there. */
export function createDatabaseFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', OWNER))
  } catch (error) {
    // SQLite opens it, or says why it can't be created.
    if (errnoOf(error) === undefined) throw error
  }
}

/** Lets those read a database whom the umask lets read files: no lock of theirs is in the way any more. */
export function showDatabase(file: string): void {
  if (!isOwn(file)) return
  const mode = READABLE & ~process.umask()
  if ((statSync(file).mode & READABLE) !== mode) chmodSync(file, mode)
}

/** Whether a file belongs to this user. */
export function isOwn(file: string): boolean {
  const uid = process.getuid?.()
  return uid === undefined || statSync(file, { throwIfNoEntry: false })?.uid === uid
}
