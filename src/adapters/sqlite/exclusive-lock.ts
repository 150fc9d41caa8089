import { loadSqlite } from './sqlite-database.ts'

/**
 * Takes a lock that the operating system ends with this process, however it ends: the one that SQLite holds on a file while it
 * writes. No number of a process has to be believed, and none is taken over by mistake.
 * @param path of a file that is for this alone; made where it is not
 * @param waitMs how long to wait for another that holds it; this thread stands still meanwhile
 * @returns the lock, or undefined while another process, or another part of this one, holds it
 * @throws what SQLite throws where the file can't be made or the file system knows no locks
 */
export function takeExclusiveLock(path: string, waitMs = 0): Disposable | undefined {
  const { DatabaseSync } = loadSqlite()
  const file = new DatabaseSync(path, { timeout: waitMs })
  try {
    // Nothing is ever written: a journal would be one more file to leave behind.
    file.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
  return { [Symbol.dispose]: () => file.close() }
}

const SQLITE_BUSY = 5
