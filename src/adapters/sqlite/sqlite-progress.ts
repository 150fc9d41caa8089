import { existsSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { InfrastructureError } from '../../core/errors.ts'
import { checkSameTasks, type RunIdentity } from '../../core/progress/run-identity.ts'
import type { ProgressStore, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { guarded, inTransaction, openDatabase, openUnchangingDatabase } from './sqlite-database.ts'
import { AttemptWriter, type OpenDatabase, removeUnusedTexts, SqliteReader, SqliteRecord } from './sqlite-record.ts'
import {
  checkSchema,
  createSchema,
  isEmpty,
  migrateSchema,
  readId,
  readName,
  readTasks,
  SCHEMA_VERSION,
} from './sqlite-schema.ts'

export interface SqliteProgressOptions {
  /** Syncs every commit to the disk: it then survives a power cut, not only the end of the process. @default false */
  readonly fsync?: boolean
}

/**
 * The record of one run in an SQLite file. The run's folder may have been renamed since.
 * @param file in a folder that exists; SQLite keeps two more files beside it while it is open
 */
export const sqliteProgress = (file: string, options: SqliteProgressOptions = {}): ProgressStore =>
  new SqliteProgress(file, options.fsync ?? false)

class SqliteProgress implements ProgressStore {
  readonly name: string
  readonly #fsync: boolean
  readonly #opened = new Set<DatabaseSync>()
  #isOpen = true

  constructor(file: string, fsync: boolean) {
    this.name = file
    this.#fsync = fsync
  }

  async open(identity: RunIdentity): Promise<RunRecord> {
    this.#checkOpen()
    return this.#use(openDatabase(this.name, { readOnly: false }), (open) => {
      const { database, file } = open
      const isNew = isEmpty(database)
      const isOld = !isNew && checkSchema(database, file) < SCHEMA_VERSION
      if (isNew) database.exec('PRAGMA journal_mode = WAL')
      database.exec(`PRAGMA synchronous = ${this.#fsync ? 'FULL' : 'NORMAL'}`)
      inTransaction(database, () => {
        if (isEmpty(database)) createSchema(database, identity)
        checkSameTasks(readTasks(database), identity.tasks, file)
        if (isOld) migrate(database)
        // Attempts that failed again with another error have left theirs behind.
        removeUnusedTexts(database)
        // Written in any case, so that a file that can't be written is reported before the run starts.
        database.prepare('UPDATE run SET name = ?').run(identity.run)
      })
      // The tables of the old version were larger.
      if (isOld) database.exec('VACUUM')
      return new SqliteRecord(open, { run: identity.run, ...readId(database), tasks: identity.tasks })
    })
  }

  async read(): Promise<RunReader | undefined> {
    this.#checkOpen()
    if (!existsSync(this.name)) return undefined
    return this.#use(openForReading(this.name), (open) => {
      const { database, file } = open
      // Its writer has only just started, and nothing is recorded yet.
      if (isEmpty(database)) {
        open.release()
        return undefined
      }
      const version = checkSchema(database, file)
      return new SqliteReader(
        { ...open, version },
        { run: readName(database), ...readId(database), tasks: readTasks(database) },
      )
    })
  }

  async remove(): Promise<void> {
    this.#checkOpen()
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.name}${suffix}`, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false
    for (const database of this.#opened) this.#release(database)
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new InfrastructureError('IO_ERROR', `The progress in ${this.name} was closed.`)
  }

  /** Hands a database over to `use`, and closes it if that fails. */
  #use<T>(database: DatabaseSync, use: (open: OpenDatabase) => T): T {
    const release = () => this.#release(database)
    this.#opened.add(database)
    try {
      return guarded(this.name, () => use({ file: this.name, database, version: SCHEMA_VERSION, release }))
    } catch (error) {
      release()
      throw error
    }
  }

  #release(database: DatabaseSync): void {
    this.#opened.delete(database)
    if (database.isOpen) database.close()
  }
}

function migrate(database: DatabaseSync): void {
  let attempts: AttemptWriter | undefined
  migrateSchema(database, (row) => {
    attempts ??= new AttemptWriter(database)
    attempts.put(row)
  })
}

/**
 * Opens a database that another process may be writing; if this user can't write to its folder, no process may be writing it.
 */
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
