import type { DatabaseSync } from 'node:sqlite'
import { BlockwiseError, InfrastructureError, messageOf } from '../../core/errors.ts'

/** How long another process may hold the file: readers never block, so only one that opens or closes it does. */
const BUSY_MS = 5000

/**
 * Opens a database file.
 * @param file need not exist, unless it is opened for reading
 * @throws what `sqliteError` gives
 */
export function openDatabase(file: string, options: { readonly readOnly: boolean }): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  return guarded(file, () => {
    const database = new DatabaseSync(file, options)
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`)
    return database
  })
}

/** Opens a database that nobody writes, where this process can't make the files beside it that readers share. */
export function openUnchangingDatabase(file: URL): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  file.searchParams.set('immutable', '1')
  return new DatabaseSync(file, { readOnly: true })
}

/** Runs something on a database. @throws what it throws as an error of ours, see `sqliteError` */
export function guarded<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw error instanceof BlockwiseError ? error : sqliteError(file, error)
  }
}

/** All or nothing, durable when it returns. */
export function inTransaction<T>(database: DatabaseSync, action: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = action()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // On a full disk SQLite has rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

// The primary result codes of SQLite (sqlite.org/rescode.html): the low byte of what node:sqlite calls errcode.
const [BUSY, READ_ONLY, CORRUPT, FULL, CANT_OPEN, NOT_A_DATABASE] = [5, 8, 11, 13, 14, 26]

function sqliteError(file: string, error: unknown): InfrastructureError {
  const { errcode = 0, code } = error as { errcode?: number; code?: string }
  const make = (ours: 'DISK_FULL' | 'READ_ONLY' | 'CORRUPT_DATA' | 'IO_ERROR', what: string) =>
    new InfrastructureError(ours, `The progress in ${file} ${what}`, { cause: error })
  const continues = 'what was recorded is safe, and the same command continues'
  if (code === 'ERR_INVALID_STATE') return make('IO_ERROR', 'was closed.')
  switch (errcode & 255) {
    case FULL:
      return make('DISK_FULL', `can't be written: the disk is full; free some space: ${continues}.`)
    case READ_ONLY:
      return make(
        'READ_ONLY',
        `can't be written: the file or its folder is read-only; make them writable: ${continues}.`,
      )
    case CANT_OPEN:
      return make('IO_ERROR', "can't be opened: its folder is missing, or may not be read and written by this user.")
    case BUSY:
      return make('IO_ERROR', 'is held by another process; end that, and start again.')
    case CORRUPT:
    case NOT_A_DATABASE:
      return make(
        'CORRUPT_DATA',
        `is damaged, or no SQLite file (${messageOf(error)}); restore it, or start again with --overwrite.`,
      )
    default:
      return make('IO_ERROR', `can't be read or written (${messageOf(error)}); see to its file system: ${continues}.`)
  }
}

/** Node 22 warns that its SQLite is experimental: what Bellis uses of it is the same in Node 24, where it is not. */
export function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: [never]) => {
    if (!String(warning).startsWith('SQLite is an experimental feature')) emitWarning.call(process, warning, ...rest)
  }) as typeof emitWarning
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
