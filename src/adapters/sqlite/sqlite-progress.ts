import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { InfrastructureError } from '../../core/errors.ts'
import { pagesOf } from '../../core/progress/bitmap-pages.ts'
import { checkSameTasks, type RecordedTask, type RunIdentity } from '../../core/progress/run-identity.ts'
import type { BitmapPage, FailedAttempt, ProgressStore, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { copyDatabase } from './database-copy.ts'
import { isOnNetwork } from './network-file-system.ts'
import { assertPlainFiles } from './plain-files.ts'
import {
  createDatabaseFile,
  isOwn,
  isSharedMemoryForbidden,
  protectSharedMemory,
  showDatabase,
} from './private-files.ts'
import { guarded, inTransaction, openDatabase, openUnchangingDatabase } from './sqlite-database.ts'
import { AttemptWriter, type OpenDatabase, removeUnusedTexts, SqliteReader, SqliteRecord } from './sqlite-record.ts'
import {
  checkSchema,
  createSchema,
  isEmpty,
  migrateSchema,
  readId,
  readLineage,
  readName,
  readTasks,
  replaceTasks,
  SCHEMA_VERSION,
} from './sqlite-schema.ts'

export interface SqliteProgressOptions {
  /** Syncs every commit to the disk: it then survives a power cut, not only the end of the process. @default false */
  readonly fsync?: boolean
  /**
   * Whether other machines may read the file while it is written. It is then written without memory that processes share, so all readers
   * read a copy. @default whether it lies on a network file system
   */
  readonly isShared?: boolean
}

/**
 * The record of one run in an SQLite file. The run's folder may have been renamed since.
 * @param file in a folder that exists; SQLite keeps two more files beside it while it is open
 */
export const sqliteProgress = (file: string, options: SqliteProgressOptions = {}): ProgressStore =>
  new SqliteProgress(file, options.fsync ?? false, options.isShared ?? isOnNetwork(dirname(file)))

class SqliteProgress implements ProgressStore {
  readonly name: string
  readonly #fsync: boolean
  readonly #isShared: boolean
  /** With what is to be done when they are closed. */
  readonly #opened = new Map<DatabaseSync, Disposable | undefined>()
  #isOpen = true

  constructor(file: string, fsync: boolean, isShared: boolean) {
    this.name = file
    this.#fsync = fsync
    this.#isShared = isShared
  }

  async open(identity: RunIdentity): Promise<RunRecord> {
    this.#checkOpen()
    return this.#use(this.#openToWrite(), (open) => {
      const { database, file } = open
      // Before anything is read: SQLite then needs no file beside the log that other processes would map into memory, too.
      if (this.#isShared) database.exec('PRAGMA locking_mode = EXCLUSIVE')
      const isNew = isEmpty(database)
      const isOld = !isNew && checkSchema(database, file) < SCHEMA_VERSION
      if (isNew) {
        // That needs a lock which a reader could hold up.
        database.exec('PRAGMA journal_mode = WAL')
        showDatabase(this.name)
      }
      database.exec(`PRAGMA synchronous = ${this.#fsync ? 'FULL' : 'NORMAL'}`)
      inTransaction(database, () => {
        if (isEmpty(database)) createSchema(database, identity)
        checkSameTasks(readTasks(database, file), identity.tasks, file)
        if (isOld) migrate(database)
        // Attempts that failed again with another error have left theirs behind.
        removeUnusedTexts(database)
        // Written in any case, so that a file that can't be written is reported before the run starts.
        database.prepare('UPDATE run SET name = ?').run(identity.run)
      })
      // The tables of the old version were larger.
      if (isOld) database.exec('VACUUM')
      return new SqliteRecord(open, { ...identityIn(database, file), run: identity.run, tasks: identity.tasks })
    })
  }

  async read(): Promise<RunReader | undefined> {
    const isCopied = this.#isShared || isSharedMemoryForbidden(this.name)
    if (!isCopied) return this.#read(isCopied)
    await using first = this.#read(isCopied)
    return first && new CopiesReader(first.identity, () => this.#read(isCopied))
  }

  #openToWrite(): DatabaseSync {
    if (!this.#isShared) {
      createDatabaseFile(this.name)
      assertPlainFiles(this.name)
      protectSharedMemory(this.name, true)
    }
    return openDatabase(this.name, { readOnly: false })
  }

  #read(isCopied: boolean): SqliteReader | undefined {
    this.#checkOpen()
    if (!existsSync(this.name)) return undefined
    const copy = isCopied ? guarded(this.name, () => copyDatabase(this.name)) : undefined
    const database = copy === undefined ? guarded(this.name, () => openForReading(this.name)) : openCopy(copy)
    const read = (open: OpenDatabase) => {
      // Its writer has only just started, and nothing is recorded yet.
      if (isEmpty(database)) {
        open.release()
        return undefined
      }
      const version = checkSchema(database, open.file)
      return new SqliteReader({ ...open, version }, identityIn(database, open.file))
    }
    return this.#use(database, read, copy)
  }

  async carryOver(_run: string, tasks: readonly RecordedTask[], completed: readonly Uint8Array[]): Promise<void> {
    this.#checkOpen()
    this.#use(this.#openToWrite(), ({ database, file, release }) => {
      if (this.#isShared) database.exec('PRAGMA locking_mode = EXCLUSIVE')
      // The commit is on the disk itself before anything is done again.
      database.exec('PRAGMA synchronous = FULL')
      const isOld = checkSchema(database, file) < SCHEMA_VERSION
      inTransaction(database, () => {
        if (isOld) migrate(database)
        replaceTasks(database, tasks)
        const put = database.prepare('INSERT INTO finished_page VALUES (?, ?, ?)')
        for (const [task, bitmap] of completed.entries()) {
          for (const { page, bits } of pagesOf(bitmap)) put.run(task, page, bits)
        }
        removeUnusedTexts(database)
      })
      release()
    })
  }

  async remove(): Promise<void> {
    this.#checkOpen()
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${this.name}${suffix}`, { force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false
    for (const database of this.#opened.keys()) this.#release(database)
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new InfrastructureError('IO_ERROR', `The progress in ${this.name} was closed.`)
  }

  /** Hands a database over to `use`, and closes it if that fails. @param copy the file that was made for it */
  #use<T>(database: DatabaseSync, use: (open: OpenDatabase) => T, copy?: Disposable): T {
    const release = () => this.#release(database)
    this.#opened.set(database, copy)
    try {
      return guarded(this.name, () => use({ file: this.name, database, version: SCHEMA_VERSION, release }))
    } catch (error) {
      release()
      throw error
    }
  }

  #release(database: DatabaseSync): void {
    const copy = this.#opened.get(database)
    this.#opened.delete(database)
    if (database.isOpen) database.close()
    copy?.[Symbol.dispose]()
  }
}

/** Reads a record that another machine may be writing: whoever reads on sees what has been recorded since, so each list is of a new copy. */
class CopiesReader implements RunReader {
  readonly identity: RunIdentity
  readonly #copy: () => RunReader | undefined

  /** @param copy returns a reader of what is recorded now; undefined if the record was removed */
  constructor(identity: RunIdentity, copy: () => RunReader | undefined) {
    this.identity = identity
    this.#copy = copy
  }

  async *completedPages(task: number): AsyncIterable<BitmapPage> {
    await using reader = this.#copy()
    if (reader !== undefined) yield* reader.completedPages(task)
  }

  async *failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    await using reader = this.#copy()
    if (reader !== undefined) yield* reader.failedAttempts(task)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

const identityIn = (database: DatabaseSync, file: string): RunIdentity => ({
  run: readName(database),
  ...readId(database),
  ...readLineage(database, file),
  tasks: readTasks(database, file),
})

function migrate(database: DatabaseSync): void {
  let attempts: AttemptWriter | undefined
  migrateSchema(database, (row) => {
    attempts ??= new AttemptWriter(database)
    attempts.put(row)
  })
}

function openCopy(copy: Disposable & { readonly file: string }): DatabaseSync {
  try {
    return openDatabase(copy.file, { readOnly: false })
  } catch (error) {
    copy[Symbol.dispose]()
    throw error
  }
}

/**
 * Opens a database that another process may be writing; if this user can't write to its folder, no process may be writing it.
 */
function openForReading(file: string): DatabaseSync {
  if (isOwn(file)) protectSharedMemory(file, false)
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
