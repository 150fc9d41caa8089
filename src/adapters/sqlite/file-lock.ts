import { lstatSync, unlinkSync } from 'node:fs'
import { assertPlainFiles } from './plain-files.ts'
import { createLockable } from './private-files.ts'
import { loadSqlite } from './sqlite-database.ts'

const SQLITE_BUSY = 5

/**
 * Takes an exclusive lock that the operating system releases when this process ends, for any reason: the lock that SQLite holds
 * on a file while it writes. No process ids are compared, so no lock is taken over by mistake.
 * @param path a file used for nothing else; created if missing
 * @param waitMs how long to wait for other holders; blocks this thread
 * @returns the lock; undefined if another process, or another part of this one, holds it
 * @throws SQLite's error if the file can't be created or the file system has no locks; InfrastructureError `CORRUPT_DATA` for a link
 */
export const takeExclusiveLock = (path: string, waitMs = 0): Disposable | undefined =>
  // Nothing is ever written: a journal would be one more file to leave behind.
  lock(path, waitMs, 'PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')

/** Takes a lock that any number of processes share, and that excludes {@link takeExclusiveLock}. */
export const takeSharedLock = (path: string, waitMs = 0): Disposable | undefined =>
  lock(path, waitMs, 'BEGIN; SELECT name FROM sqlite_schema')

function lock(path: string, waitMs: number, take: string): Disposable | undefined {
  removeJournalOfOthers(path)
  assertPlainFiles(path)
  createFile(path)
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

/** Nothing is ever written to a lock, so no journal of it is needed: one that a group's other member has left is in the way. */
function removeJournalOfOthers(path: string): void {
  const journal = `${path}-journal`
  const found = lstatSync(journal, { throwIfNoEntry: false })
  if (found === undefined || found.uid === (process.getuid?.() ?? found.uid)) return
  try {
    unlinkSync(journal)
  } catch {
    // It is not opened then.
  }
}

function createFile(path: string): void {
  try {
    createLockable(path)
  } catch {
    // It exists, or SQLite reports why it can't be created.
  }
}
