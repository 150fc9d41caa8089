import type { DatabaseSync } from 'node:sqlite'
import { BlockwiseError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { assertPlainFiles } from './plain-files.ts'

/** How long another process may hold the file. Readers never block, so only a process that opens or closes it does. */
const BUSY_MS = 5000

/**
 * Opens a database file.
 * @param file need not exist, unless it is opened for reading
 * @throws InfrastructureError `IO_ERROR`, `READ_ONLY`, `DISK_FULL`, `CORRUPT_DATA`
 */
export function openDatabase(file: string, options: { readonly readOnly: boolean }): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  return guarded(file, () => {
    assertPlainFiles(file)
    const database = new DatabaseSync(file, options)
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA trusted_schema = OFF`)
    return database
  })
}

/** Opens a database that no process is writing, for a reader that can't create SQLite's shared files beside it. */
export function openUnchangingDatabase(file: URL): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  file.searchParams.set('immutable', '1')
  return new DatabaseSync(file, { readOnly: true })
}

/** Runs an action on a database. @throws InfrastructureError for SQLite's errors, as `openDatabase` does */
export function guarded<T>(file: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw error instanceof BlockwiseError ? error : sqliteError(file, error)
  }
}

/** Runs an action as one transaction, which is durable when this returns. */
export function inTransaction<T>(database: DatabaseSync, action: () => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = action()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // If the disk is full, SQLite has already rolled back.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

// The primary result codes of SQLite (sqlite.org/rescode.html): the low byte of what node:sqlite calls errcode.
const [ERROR, BUSY, READ_ONLY, CORRUPT, FULL, CANT_OPEN, NOT_A_DATABASE] = [1, 5, 8, 11, 13, 14, 26]
/** The file of the shared memory beside the database can't grow, which SQLite counts as an error of the disk. */
const NO_SHARED_MEMORY = 4874

function sqliteError(file: string, error: unknown): InfrastructureError {
  const { errcode = 0, code } = error as { errcode?: number; code?: string }
  const make = (ours: 'DISK_FULL' | 'READ_ONLY' | 'CORRUPT_DATA' | 'IO_ERROR', what: string) =>
    new InfrastructureError(ours, `The progress in ${file} ${what}`, { cause: error })
  const continues = 'what was recorded is safe, and the same command continues'
  if (code === 'ERR_INVALID_STATE') return make('IO_ERROR', 'was closed.')
  // A table or a column that is missing, a number that no record has, and a text that is no JSON: others have changed the file.
  const isChanged = code === 'ERR_OUT_OF_RANGE' || error instanceof SyntaxError
  switch (isChanged ? CORRUPT : errcode === NO_SHARED_MEMORY ? FULL : errcode & 255) {
    case FULL:
      return make('DISK_FULL', `can't be written: the disk is full; free some space: ${continues}.`)
    case READ_ONLY:
      return make(
        'READ_ONLY',
        `can't be written: the file or its folder is read-only; make them writable: ${continues}.`,
      )
    case CANT_OPEN:
      return make('IO_ERROR', "can't be opened: its folder is missing, or this user may not read or write it.")
    case BUSY:
      return make('IO_ERROR', 'is locked by another process; end that process, and start again.')
    case ERROR:
    case CORRUPT:
    case NOT_A_DATABASE:
      return make(
        'CORRUPT_DATA',
        `is damaged or not an SQLite file (${messageOf(error)}); restore it, or start again with --overwrite.`,
      )
    default:
      return make('IO_ERROR', `can't be read or written (${messageOf(error)}); check its file system: ${continues}.`)
  }
}

/** Loads SQLite without Node 22's warning that it is experimental; Node 24, where it is stable, has the same functions. */
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
