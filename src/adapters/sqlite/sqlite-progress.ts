import { existsSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { ConfigError, type ErrorCode, InfrastructureError } from '../../core/errors.ts'
import { isInMask, maskPages, withoutMask } from '../../core/progress/bitmap-pages.ts'
import { checkSameTasks, type RecordedTask, type RunIdentity } from '../../core/progress/run-identity.ts'
import type { FailedTry, ProgressStore, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { guarded, inTransaction, openDatabase, openUnchangingDatabase } from './sqlite-database.ts'

export interface SqliteProgressOptions {
  /** Syncs every commit to the disk: it then outlives a power cut, not only the process. @default false */
  readonly fsync?: boolean
}

/** Raised when older versions can't read what is written. */
const SCHEMA_VERSION = 1
/** "bell": marks the file as ours. */
const APPLICATION_ID = 0x62656c6c
const ROWS_AT_ONCE = 256

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

/**
 * The record of one run in an SQLite file, whatever the run's folder is called by now.
 * @param file in a folder that exists; SQLite keeps two more beside it while it is open
 */
export function sqliteProgress(file: string, options: SqliteProgressOptions = {}): ProgressStore {
  const opened = new Set<DatabaseSync>()
  let isOpen = true
  const checkOpen = () => {
    if (!isOpen) throw new InfrastructureError('IO_ERROR', `The progress in ${file} was closed.`)
  }
  const release = (database: DatabaseSync) => {
    opened.delete(database)
    if (database.isOpen) database.close()
  }
  /** Hands a database over to `use`, and closes it if that fails. */
  const using = <T>(database: DatabaseSync, use: (database: DatabaseSync) => T): T => {
    opened.add(database)
    try {
      return guarded(file, () => use(database))
    } catch (error) {
      release(database)
      throw error
    }
  }

  const readerOf = (database: DatabaseSync, identity: RunIdentity): RunReader => ({
    identity,
    async *completedPages(task) {
      const next = guarded(file, () =>
        database.prepare(
          `SELECT page, bits FROM finished_page WHERE task = ? AND page > ? ORDER BY page LIMIT ${ROWS_AT_ONCE}`,
        ),
      )
      for (let last = -1, rows: PageRow[] = []; ; last = rows[rows.length - 1]!.page) {
        rows = guarded(file, () => next.all(task, last) as unknown as PageRow[])
        for (const { page, bits } of rows) yield { task, page, bits }
        if (rows.length < ROWS_AT_ONCE) return
      }
    },
    async *failedTries(task) {
      const next = guarded(file, () =>
        database.prepare(
          `SELECT * FROM failed_try WHERE task = ? AND number > ? ORDER BY number LIMIT ${ROWS_AT_ONCE}`,
        ),
      )
      for (let last = -1, rows: TryRow[] = []; ; last = rows[rows.length - 1]!.number) {
        rows = guarded(file, () => next.all(task, last) as unknown as TryRow[])
        for (const row of rows) yield fromRow(row)
        if (rows.length < ROWS_AT_ONCE) return
      }
    },
    async [Symbol.asyncDispose]() {
      release(database)
    },
  })

  function recordOf(database: DatabaseSync, identity: RunIdentity): RunRecord {
    const putPage = database.prepare('INSERT OR REPLACE INTO finished_page (task, page, bits) VALUES (?, ?, ?)')
    const putTry = database.prepare(
      `INSERT INTO failed_try (task, block, attempt, is_final, code, message, stack, worker, host, duration_ms, time)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    const change = (action: () => void) => guarded(file, () => inTransaction(database, action))
    return {
      ...readerOf(database, identity),
      async commit({ pages, failedTries }) {
        change(() => {
          for (const { task, page, bits } of pages) putPage.run(task, page, bits)
          for (const { task, block, attempt, isFinal, error, workerId, host, durationMs, time } of failedTries) {
            const { code, message, stack = null } = error
            putTry.run(task, block, attempt, Number(isFinal), code, message, stack, workerId, host, durationMs, time)
          }
        })
      },
      async clear(task, blocks) {
        const mask = blocks === undefined ? undefined : maskPages(blocks)
        change(() => {
          if (mask === undefined) {
            database.prepare('DELETE FROM finished_page WHERE task = ?').run(task)
            database.prepare('DELETE FROM failed_try WHERE task = ?').run(task)
            return
          }
          const getPage = database.prepare('SELECT page, bits FROM finished_page WHERE task = ? AND page = ?')
          for (const [page, bits] of mask) {
            const before = getPage.get(task, page) as PageRow | undefined
            if (before !== undefined) putPage.run(task, page, withoutMask(before.bits, bits))
          }
          const tries = database.prepare('SELECT number, block FROM failed_try WHERE task = ?').all(task)
          const remove = database.prepare('DELETE FROM failed_try WHERE number = ?')
          for (const { number, block } of tries as unknown as TryRow[]) if (isInMask(mask, block)) remove.run(number)
        })
      },
    }
  }

  return {
    name: file,
    async open(identity) {
      checkOpen()
      return using(openDatabase(file, { readOnly: false }), (database) => {
        const isNew = isEmpty(database)
        if (!isNew) checkSchema(database, file)
        if (isNew) database.exec('PRAGMA journal_mode = WAL')
        database.exec(`PRAGMA synchronous = ${options.fsync === true ? 'FULL' : 'NORMAL'}`)
        inTransaction(database, () => {
          if (isEmpty(database)) create(database, identity)
          checkSameTasks(readTasks(database), identity.tasks, file)
          // Written in any case: so a file that can't be written is told before the run begins.
          database.prepare('UPDATE run SET name = ?').run(identity.run)
        })
        return recordOf(database, identity)
      })
    },
    async read() {
      checkOpen()
      if (!existsSync(file)) return undefined
      return using(openForReading(file), (database) => {
        // Its writer has just begun, and nothing is recorded yet.
        if (isEmpty(database)) {
          release(database)
          return undefined
        }
        checkSchema(database, file)
        return readerOf(database, { run: readName(database), tasks: readTasks(database) })
      })
    },
    async remove() {
      checkOpen()
      for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true })
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
      for (const database of opened) release(database)
    },
  }
}

interface PageRow {
  readonly page: number
  readonly bits: Uint8Array
}

interface TryRow {
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

const fromRow = (row: TryRow): FailedTry => ({
  task: row.task,
  block: row.block,
  attempt: row.attempt,
  isFinal: row.is_final === 1,
  error: { code: row.code, message: row.message, ...(row.stack === null ? {} : { stack: row.stack }) },
  workerId: row.worker,
  host: row.host,
  durationMs: row.duration_ms,
  time: row.time,
})

/** For reading while another process writes; or, in a folder that this user can't write to, when none does. */
function openForReading(file: string): DatabaseSync {
  const database = openDatabase(file, { readOnly: true })
  try {
    isEmpty(database)
    return database
  } catch (error) {
    database.close()
    if (!existsSync(`${file}-wal`)) return openUnchangingDatabase(pathToFileURL(file))
    throw error
  }
}

const pragma = (database: DatabaseSync, name: string): unknown => database.prepare(`PRAGMA ${name}`).get()?.[name]

const isEmpty = (database: DatabaseSync): boolean =>
  database.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined

function checkSchema(database: DatabaseSync, file: string): void {
  if (pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${file} is a database of another program; choose another place with --run-dir.`,
    )
  }
  const version = pragma(database, 'user_version')
  if (version !== SCHEMA_VERSION) {
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress in ${file} was written by a newer Bellis (version ${version}, and this one reads ${SCHEMA_VERSION}); continue it with that one, or start again with --overwrite.`,
    )
  }
}

function create(database: DatabaseSync, { run, tasks }: RunIdentity): void {
  database.exec(SCHEMA)
  database.prepare('INSERT INTO run VALUES (?)').run(run)
  const put = database.prepare('INSERT INTO task VALUES (?, ?, ?, ?, ?)')
  for (const [place, { id, blockCount, grid, config }] of tasks.entries()) put.run(place, id, blockCount, grid, config)
}

const readName = (database: DatabaseSync): string => database.prepare('SELECT name FROM run').get()?.name as string

const readTasks = (database: DatabaseSync): RecordedTask[] =>
  database
    .prepare('SELECT id, block_count AS blockCount, grid, config FROM task ORDER BY task')
    .all()
    .map((row) => ({ ...row }) as unknown as RecordedTask)
