import type { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '../../core/errors.ts'
import type { RecordedTask, RunIdentity } from '../../core/progress/run-identity.ts'

/** Raised when older versions can't read what is written. */
const SCHEMA_VERSION = 1
/** "bell": marks the file as ours. */
const APPLICATION_ID = 0x62656c6c

const SCHEMA = `
  CREATE TABLE run (name TEXT NOT NULL) STRICT;
  CREATE TABLE task (
    task INTEGER PRIMARY KEY, id TEXT NOT NULL, block_count INTEGER NOT NULL, grid TEXT NOT NULL, config TEXT NOT NULL
  ) STRICT;
  CREATE TABLE finished_page (
    task INTEGER NOT NULL, page INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (task, page)
  ) STRICT;
  CREATE TABLE failed_try (
    number INTEGER PRIMARY KEY, task INTEGER NOT NULL, block INTEGER NOT NULL, attempt INTEGER NOT NULL,
    is_final INTEGER NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, stack TEXT, worker TEXT NOT NULL,
    host TEXT NOT NULL, duration_ms REAL NOT NULL, time REAL NOT NULL
  ) STRICT;
  CREATE INDEX failed_try_of_task ON failed_try (task, number);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

const pragma = (database: DatabaseSync, name: string): unknown => database.prepare(`PRAGMA ${name}`).get()?.[name]

/** Whether a database has no tables: it is new, or its writer has only just started. */
export const isEmpty = (database: DatabaseSync): boolean =>
  database.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined

/** @throws ConfigError `INVALID_CONFIG` for another program's database, `UNSUPPORTED` for that of a newer Bellis */
export function checkSchema(database: DatabaseSync, file: string): void {
  if (pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${file} is another program's database; choose another place with --run-dir.`,
    )
  }
  const version = pragma(database, 'user_version')
  if (version !== SCHEMA_VERSION) {
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress in ${file} was written by a newer Bellis (version ${version}; this one reads ${SCHEMA_VERSION}); continue with that Bellis, or start again with --overwrite.`,
    )
  }
}

/** A table that version 0.1.0 neither writes nor looks at. */
const IDENTITY_SCHEMA = 'CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT'

/** Makes the tables of one run. */
export function createSchema(database: DatabaseSync, { run, id, tasks }: RunIdentity): void {
  database.exec(SCHEMA)
  if (id !== undefined) writeId(database, id)
  database.prepare('INSERT INTO run VALUES (?)').run(run)
  const put = database.prepare('INSERT INTO task VALUES (?, ?, ?, ?, ?)')
  for (const [place, { id, blockCount, grid, config }] of tasks.entries()) put.run(place, id, blockCount, grid, config)
}

export const readName = (database: DatabaseSync): string =>
  database.prepare('SELECT name FROM run').get()?.name as string

/** The id of the record, as a part of its identity; empty if it has none. */
export function readId(database: DatabaseSync): { readonly id?: string } {
  const table = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'identity'").get()
  const row = table === undefined ? undefined : database.prepare('SELECT id FROM identity').get()
  return row === undefined ? {} : { id: row.id as string }
}

export function writeId(database: DatabaseSync, id: string): void {
  database.exec(`${IDENTITY_SCHEMA}; DELETE FROM identity`)
  database.prepare('INSERT INTO identity VALUES (?)').run(id)
}

/** Writes something that differs from what was there. */
export function markSynced(database: DatabaseSync): void {
  database.exec('CREATE TABLE IF NOT EXISTS synced (count INTEGER NOT NULL) STRICT')
  const { count } = database.prepare('SELECT coalesce(max(count), 0) AS count FROM synced').get() as { count: number }
  database.exec('DELETE FROM synced')
  database.prepare('INSERT INTO synced VALUES (?)').run(count + 1)
}

export const readTasks = (database: DatabaseSync): RecordedTask[] =>
  database
    .prepare('SELECT id, block_count AS blockCount, grid, config FROM task ORDER BY task')
    .all()
    .map((row) => ({ ...row }) as unknown as RecordedTask)
