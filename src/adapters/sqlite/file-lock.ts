import { loadSqlite } from './sqlite-database.ts'

const SQLITE_BUSY = 5

/**
 * Takes a lock that the operating system ends with this process, however it ends: the one that SQLite holds on a file while it
 * writes. No number of a process has to be believed, and none is taken over by mistake.
 * @param path of a file that is for this alone; made where it is not
 * @param waitMs how long to wait for others that hold it; this thread stands still meanwhile
 * @returns the lock, or undefined while another process, or another part of this one, holds it or shares it
 * @throws what SQLite throws where the file can't be made or the file system knows no locks
 */
export const takeExclusiveLock = (path: string, waitMs = 0): Disposable | undefined =>
  // Nothing is ever written: a journal would be one more file to leave behind.
  lock(path, waitMs, 'PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')

/** The same, held by any number of processes at once, and by none while another has it for itself. */
export const takeSharedLock = (path: string, waitMs = 0): Disposable | undefined =>
  lock(path, waitMs, 'BEGIN; SELECT name FROM sqlite_schema')

function lock(path: string, waitMs: number, take: string): Disposable | undefined {
  const { DatabaseSync } = loadSqlite()
  const file = new DatabaseSync(path, { timeout: waitMs })
  try {
    file.exec(take)
  } catch (error) {
    file.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
  return { [Symbol.dispose]: () => file.close() }
}
