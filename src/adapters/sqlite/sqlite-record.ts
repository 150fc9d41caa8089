import { createHash } from 'node:crypto'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isInMask, maskPages, PAGE_BYTES, withoutMask } from '../../core/progress/bitmap-pages.ts'
import { withMessage, withoutMessage } from '../../core/progress/error-text.ts'
import type { Lineage } from '../../core/progress/lineage.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import type { BitmapPage, FailedAttempt, ProgressBatch, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { guarded, inTransaction } from './sqlite-database.ts'
import { type AttemptRow, markSynced, shortOr, writeId, writeLineage } from './sqlite-schema.ts'

const ROWS_AT_ONCE = 256
/** Longer texts of errors are in no record that Bellis has written; somebody else's could fill the memory. */
const MOST_TEXT_BYTES = 2 ** 20
/** The bits of a page, or none for a page that is longer than any: it is then refused without being read. */
const BITS = shortOr('bits', PAGE_BYTES, 'zeroblob(0)')
/** Of SHA-256: two texts are never taken for each other. */
const HASH_BYTES = 16

/** A database of a run, opened by a store that has to close it. */
export interface OpenDatabase {
  readonly file: string
  readonly database: DatabaseSync
  /** The version of its schema. */
  readonly version: number
  readonly release: () => void
}

interface PageRow {
  readonly page: number
  readonly bits: Uint8Array
}

// A file of version 1 that is opened for reading stays as it is.
/** A column as text, whatever somebody else has put there. */
const text = (column: string): string =>
  `CAST(${shortOr(column, MOST_TEXT_BYTES, `CASE WHEN ${column} IS NOT NULL THEN '(a text that is too long to be read)' END`)} AS TEXT)`
const ATTEMPT = `number, task, block, attempt, is_final, ${text('code')} AS code, ${text('worker')} AS worker, ${text('host')} AS host, duration_ms, time`
const ATTEMPTS = [
  `SELECT ${ATTEMPT}, ${text('message')} AS message, ${text('stack')} AS stack FROM failed_try WHERE task = ? AND number > ?`,
  `SELECT ${ATTEMPT}, ${text('message.text')} AS message, ${text('stack.text')} AS stack
   FROM failed_attempt JOIN error_text AS message ON message.hash = failed_attempt.message
   LEFT JOIN error_text AS stack ON stack.hash = failed_attempt.stack
   WHERE task = ? AND number > ?`,
]

/** Reads a run's record. */
export class SqliteReader implements RunReader {
  readonly identity: RunIdentity
  readonly #open: OpenDatabase

  constructor(open: OpenDatabase, identity: RunIdentity) {
    this.#open = open
    this.identity = identity
  }

  async *completedPages(task: number): AsyncIterable<BitmapPage> {
    const query = `SELECT page, ${BITS} AS bits FROM finished_page WHERE task = ? AND page > ? ORDER BY page LIMIT ${ROWS_AT_ONCE}`
    for (const { page, bits } of this.#rows<PageRow>(query, task, ({ page }) => page)) yield { task, page, bits }
  }

  async *failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    const query = `${ATTEMPTS[this.#open.version - 1]} ORDER BY number LIMIT ${ROWS_AT_ONCE}`
    for (const row of this.#rows<AttemptRow>(query, task, ({ number }) => number)) yield fromRow(row)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.release()
  }

  /** The rows of a query in batches, so that no statement stays open between them. @param keyOf what the query orders by */
  *#rows<T>(query: string, task: number, keyOf: (row: T) => number): Generator<T> {
    const { file, database } = this.#open
    const next = guarded(file, () => database.prepare(query))
    for (let last = -1; ; ) {
      const rows = guarded(file, () => next.all(task, last) as unknown as T[])
      yield* rows
      if (rows.length < ROWS_AT_ONCE) return
      last = keyOf(rows.at(-1) as T)
    }
  }
}

/** Writes a run's record. */
export class SqliteRecord implements RunRecord {
  readonly identity: RunIdentity
  readonly #open: OpenDatabase
  readonly #reader: SqliteReader
  readonly #putPage: StatementSync
  readonly #attempts: AttemptWriter

  constructor(open: OpenDatabase, identity: RunIdentity) {
    this.identity = identity
    this.#open = open
    this.#reader = new SqliteReader(open, identity)
    this.#putPage = open.database.prepare('INSERT OR REPLACE INTO finished_page (task, page, bits) VALUES (?, ?, ?)')
    this.#attempts = new AttemptWriter(open.database)
  }

  completedPages(task: number): AsyncIterable<BitmapPage> {
    return this.#reader.completedPages(task)
  }

  failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    return this.#reader.failedAttempts(task)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.release()
  }

  async commit({ pages, failedAttempts }: ProgressBatch): Promise<void> {
    this.#change(() => {
      for (const { task, page, bits } of pages) this.#putPage.run(task, page, bits)
      for (const failed of failedAttempts) this.#attempts.put(toRow(failed))
    })
  }

  async clear(task: number, blocks?: Iterable<number>): Promise<void> {
    const mask = blocks === undefined ? undefined : maskPages(blocks)
    this.#change(() => (mask === undefined ? this.#clearAll(task) : this.#clearMasked(task, mask)))
    // What is done again may be gone already, and a power cut must not bring back that it is done.
    await this.sync()
  }

  async sync(): Promise<void> {
    const { file, database } = this.#open
    guarded(file, () => {
      const { synchronous } = database.prepare('PRAGMA synchronous').get() as { synchronous: number }
      database.exec('PRAGMA synchronous = FULL')
      try {
        // A commit syncs the log, and all that was committed before with it. One that changes nothing is not written.
        inTransaction(database, () => markSynced(database))
      } finally {
        database.exec(`PRAGMA synchronous = ${synchronous}`)
      }
    })
  }

  async identify(id: string): Promise<void> {
    this.#change(() => writeId(this.#open.database, id))
  }

  async continueAs(lineage: Lineage): Promise<void> {
    this.#change(() => writeLineage(this.#open.database, lineage))
    await this.sync()
  }

  #change(action: () => void): void {
    const { file, database } = this.#open
    guarded(file, () => inTransaction(database, action))
  }

  #clearAll(task: number): void {
    const { database } = this.#open
    database.prepare('DELETE FROM finished_page WHERE task = ?').run(task)
    database.prepare('DELETE FROM failed_attempt WHERE task = ?').run(task)
    removeUnusedTexts(database)
  }

  #clearMasked(task: number, mask: ReturnType<typeof maskPages>): void {
    const { database } = this.#open
    const getPage = database.prepare(`SELECT page, ${BITS} AS bits FROM finished_page WHERE task = ? AND page = ?`)
    for (const [page, bits] of mask) {
      const before = getPage.get(task, page) as PageRow | undefined
      if (before !== undefined) this.#putPage.run(task, page, withoutMask(before.bits, bits))
    }
    const attempts = database.prepare('SELECT number, block FROM failed_attempt WHERE task = ?').all(task)
    const remove = database.prepare('DELETE FROM failed_attempt WHERE number = ?')
    for (const { number, block } of attempts as unknown as AttemptRow[]) if (isInMask(mask, block)) remove.run(number)
    removeUnusedTexts(database)
  }
}

const fromRow = (row: AttemptRow): FailedAttempt => ({
  task: row.task,
  block: row.block,
  attempt: row.attempt,
  isFinal: row.is_final === 1,
  error: {
    code: row.code,
    message: row.message,
    ...(row.stack === null ? {} : { stack: withMessage(row.stack, row.message) }),
  },
  workerId: row.worker,
  host: row.host,
  durationMs: row.duration_ms,
  time: row.time,
})

type NewRow = Omit<AttemptRow, 'number'>

const toRow = ({ isFinal, error, workerId, durationMs, ...rest }: FailedAttempt): NewRow => {
  const { code, message, stack = null } = error
  return { ...rest, is_final: Number(isFinal), code, message, stack, worker: workerId, duration_ms: durationMs }
}

/** Writes failed attempts, and each of their texts once. */
export class AttemptWriter {
  readonly #putText: StatementSync
  readonly #put: StatementSync

  constructor(database: DatabaseSync) {
    this.#putText = database.prepare('INSERT OR IGNORE INTO error_text (hash, text) VALUES (?, ?)')
    // One that is replaced gets a new number: the attempts are in the order in which they were recorded last.
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO failed_attempt
       (task, block, attempt, is_final, code, message, stack, worker, host, duration_ms, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
  }

  put({ task, block, attempt, is_final, code, message, stack, worker, host, duration_ms, time }: NewRow): void {
    const texts = [this.#text(message), stack === null ? null : this.#text(withoutMessage(stack, message))] as const
    this.#put.run(task, block, attempt, is_final, code, ...texts, worker, host, duration_ms, time)
  }

  /** @returns the hash of a text that is stored */
  #text(text: string): Uint8Array {
    const hash = createHash('sha256').update(text).digest().subarray(0, HASH_BYTES)
    this.#putText.run(hash, text)
    return hash
  }
}

/** Removes the texts to which no failed attempt refers any more. */
export function removeUnusedTexts(database: DatabaseSync): void {
  database.exec(`
    DELETE FROM error_text WHERE hash NOT IN
      (SELECT message FROM failed_attempt UNION SELECT stack FROM failed_attempt WHERE stack IS NOT NULL)`)
}
