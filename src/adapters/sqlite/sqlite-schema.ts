import type { DatabaseSync } from 'node:sqlite'
import { ConfigError, type ErrorCode, InfrastructureError } from '../../core/errors.ts'
import { type Lineage, parseLineage } from '../../core/progress/lineage.ts'
import { isRecordedTask, type RecordedTask, type RunIdentity } from '../../core/progress/run-identity.ts'

/** Raised when older versions can't read what is written. */
export const SCHEMA_VERSION = 2
/** "bell": marks the file as ours. */
const APPLICATION_ID = 0x62656c6c

// Errors repeat: a failed attempt refers to its message and its stack by their hashes, and each text is stored once.
const ATTEMPTS_SCHEMA = `
  CREATE TABLE error_text (hash BLOB PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE failed_attempt (
    number INTEGER PRIMARY KEY, task INTEGER NOT NULL, block INTEGER NOT NULL, attempt INTEGER NOT NULL,
    is_final INTEGER NOT NULL, code TEXT NOT NULL, message BLOB NOT NULL, stack BLOB, worker TEXT NOT NULL,
    host TEXT NOT NULL, duration_ms REAL NOT NULL, time REAL NOT NULL, UNIQUE (task, block, attempt)
  ) STRICT;
  CREATE INDEX failed_attempt_of_task ON failed_attempt (task, number);
  PRAGMA user_version = ${SCHEMA_VERSION};
`

const SCHEMA = `
  CREATE TABLE run (name TEXT NOT NULL) STRICT;
  CREATE TABLE task (
    task INTEGER PRIMARY KEY, id TEXT NOT NULL, block_count INTEGER NOT NULL, grid TEXT NOT NULL, config TEXT NOT NULL
  ) STRICT;
  CREATE TABLE finished_page (
    task INTEGER NOT NULL, page INTEGER NOT NULL, bits BLOB NOT NULL, PRIMARY KEY (task, page)
  ) STRICT;
  ${ATTEMPTS_SCHEMA}
  PRAGMA application_id = ${APPLICATION_ID};
`

/** Of names, ids and lineages. */
const MOST_NAME_BYTES = 10_000
/** Of all tasks together, with their configurations. */
const MOST_TASKS_BYTES = 100_000_000

/** A failed attempt with its texts, as version 1 stored it. */
export interface AttemptRow {
  readonly number: number
  readonly task: number
  readonly block: number
  readonly attempt: number
  readonly is_final: number
  readonly code: ErrorCode
  readonly message: string
  readonly stack: string | null
  readonly worker: string
  readonly host: string
  readonly duration_ms: number
  readonly time: number
}

/**
 * An expression for a column that SQLite reads only if it is short, since a record may be somebody else's.
 * @param other an expression for one that is longer
 */
export const shortOr = (column: string, mostBytes: number, other: string): string =>
  `CASE WHEN octet_length(${column}) <= ${mostBytes} THEN ${column} ELSE ${other} END`

const pragma = (database: DatabaseSync, name: string): unknown => database.prepare(`PRAGMA ${name}`).get()?.[name]

/** Whether a database has no tables: it is new, or its writer has only just started. */
export const isEmpty = (database: DatabaseSync): boolean =>
  database.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined

/** What the definitions of our tables never contain: it would compute something whenever a table is read or written. */
const COMPUTES = /\b(select|generated|check|virtual|default|collate|as)\b/i

/** A file from others may have views and triggers under the names of tables, which compute without end. */
function assertTables(database: DatabaseSync, file: string): void {
  const objects = database.prepare('SELECT type, sql FROM sqlite_schema').iterate()
  for (const { type, sql } of objects as Iterable<{ type: string; sql: string | null }>) {
    if ((type === 'table' || type === 'index') && !COMPUTES.test(sql ?? '')) continue
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${file} was changed by another program: expected the tables of a record alone, got something that computes; restore it, or start again with --overwrite.`,
    )
  }
}

/**
 * @returns the version of the schema, 1 or 2
 * @throws InfrastructureError `CORRUPT_DATA` if something else than tables was added
 * @throws ConfigError `INVALID_CONFIG` for another program's database, `UNSUPPORTED` for that of a newer Bellis
 */
export function checkSchema(database: DatabaseSync, file: string): number {
  if (pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${file} is another program's database; choose another place with --run-dir.`,
    )
  }
  assertTables(database, file)
  const version = pragma(database, 'user_version') as number
  if (version < 1 || version > SCHEMA_VERSION) {
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress in ${file} was written by a newer Bellis (version ${version}; this one reads ${SCHEMA_VERSION}); continue with that Bellis, or start again with --overwrite.`,
    )
  }
  return version
}

/** Turns the tables of version 1, in which every failed attempt has its texts, into the current ones. */
export function migrateSchema(database: DatabaseSync, put: (row: AttemptRow) => void): void {
  database.exec(ATTEMPTS_SCHEMA)
  for (const row of database.prepare('SELECT * FROM failed_try ORDER BY number').iterate()) {
    put(row as unknown as AttemptRow)
  }
  database.exec('DROP TABLE failed_try')
}

/** A table that version 0.1.0 neither writes nor looks at. */
const IDENTITY_SCHEMA = 'CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL) STRICT'

/** Makes the tables of one run. */
export function createSchema(database: DatabaseSync, { run, id, tasks }: RunIdentity): void {
  database.exec(SCHEMA)
  if (id !== undefined) writeId(database, id)
  database.prepare('INSERT INTO run VALUES (?)').run(run)
  putTasks(database, tasks)
}

function putTasks(database: DatabaseSync, tasks: readonly RecordedTask[]): void {
  const put = database.prepare('INSERT INTO task VALUES (?, ?, ?, ?, ?)')
  for (const [place, { id, blockCount, grid, config }] of tasks.entries()) put.run(place, id, blockCount, grid, config)
}

/** The tables are those of other tasks from now on, of which nothing is done. */
export function replaceTasks(database: DatabaseSync, tasks: readonly RecordedTask[]): void {
  database.exec('DELETE FROM task; DELETE FROM finished_page; DELETE FROM failed_attempt')
  putTasks(database, tasks)
}

export const readName = (database: DatabaseSync): string =>
  database.prepare(`SELECT ${shortOr('name', MOST_NAME_BYTES, "''")} AS name FROM run`).get()?.name as string

/** The id of the record, as a part of its identity; empty if it has none. */
export function readId(database: DatabaseSync): { readonly id?: string } {
  const table = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'identity'").get()
  const row =
    table === undefined
      ? undefined
      : database.prepare(`SELECT ${shortOr('id', MOST_NAME_BYTES, "''")} AS id FROM identity`).get()
  return row === undefined ? {} : { id: row.id as string }
}

export function writeId(database: DatabaseSync, id: string): void {
  database.exec(`${IDENTITY_SCHEMA}; DELETE FROM identity`)
  database.prepare('INSERT INTO identity VALUES (?)').run(id)
}

/** The state of the record, as a part of its identity; empty if it has none. @throws InfrastructureError `CORRUPT_DATA` */
export function readLineage(database: DatabaseSync, file: string): { readonly lineage?: Lineage } {
  const table = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name = 'lineage'").get()
  const row =
    table === undefined
      ? undefined
      : database.prepare(`SELECT ${shortOr('value', MOST_NAME_BYTES, "'null'")} AS value FROM lineage`).get()
  if (row === undefined) return {}
  const lineage = parseLineage(JSON.parse(row.value as string))
  if (lineage !== undefined) return { lineage }
  throw new InfrastructureError(
    'CORRUPT_DATA',
    `${file} is damaged: its lineage was changed; start again with --overwrite.`,
  )
}

export function writeLineage(database: DatabaseSync, lineage: Lineage): void {
  database.exec('CREATE TABLE IF NOT EXISTS lineage (value TEXT NOT NULL) STRICT; DELETE FROM lineage')
  database.prepare('INSERT INTO lineage VALUES (?)').run(JSON.stringify(lineage))
}

/** Writes something that differs from what was there. */
export function markSynced(database: DatabaseSync): void {
  database.exec('CREATE TABLE IF NOT EXISTS synced (count INTEGER NOT NULL) STRICT')
  const { count } = database.prepare('SELECT coalesce(max(count), 0) AS count FROM synced').get() as { count: number }
  database.exec('DELETE FROM synced')
  database.prepare('INSERT INTO synced VALUES (?)').run(count + 1)
}

/** @throws InfrastructureError `CORRUPT_DATA` for tasks that no record has */
export function readTasks(database: DatabaseSync, file: string): RecordedTask[] {
  const { bytes } = database
    .prepare(
      'SELECT sum(octet_length(id) + octet_length(grid) + octet_length(config) + length(block_count)) AS bytes FROM task',
    )
    .get() as { bytes: number | null }
  const tasks: readonly unknown[] | undefined =
    (bytes ?? 0) > MOST_TASKS_BYTES
      ? undefined
      : database.prepare('SELECT id, block_count AS blockCount, grid, config FROM task ORDER BY task').all()
  if (tasks?.every(isRecordedTask)) return tasks.map((row) => ({ ...row }))
  throw new InfrastructureError(
    'CORRUPT_DATA',
    `${file} is damaged: its tasks were changed; start again with --overwrite.`,
  )
}
