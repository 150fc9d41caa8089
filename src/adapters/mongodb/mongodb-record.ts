import { type AnyBulkWriteOperation, Binary, type Collection } from 'mongodb'
import { type ErrorCode, InfrastructureError } from '../../core/errors.ts'
import { isInMask, maskPages, withoutMask } from '../../core/progress/bitmap-pages.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import type {
  BitmapPage,
  FailedAttempt,
  OpenRecordOptions,
  ProgressBatch,
  RunReader,
  RunRecord,
} from '../../ports/progress-store.ts'
import type { MongodbConnection } from './mongodb-connection.ts'
import { isDuplicateKey, type KeyedDocument, keyOf, within } from './mongodb-keys.ts'
import type { HeldLock } from './mongodb-lock.ts'

/**
 * Pages in one command: FerretDB hangs permanently if the pages changed at the same time, by one command or several, reach
 * about a hundred.
 */
const PAGES_AT_ONCE = 32
const REMOVED_AT_ONCE = 1000

export interface PageDocument extends KeyedDocument {
  readonly page: number
  readonly bits: Binary
}

export interface AttemptDocument extends Omit<FailedAttempt, 'task' | 'error'>, KeyedDocument {
  readonly number: number
  readonly code: ErrorCode
  readonly message: string
  readonly stack?: string
}

interface RecordOptions extends OpenRecordOptions {
  /** Stores the id of the record. */
  readonly identify: (id: string) => Promise<void>
  /** Writes something that is acknowledged only once it is on the disks of the servers. */
  readonly writeJournaled: () => Promise<void>
}

/** The location of a run's records. */
export interface RecordPlace {
  readonly connection: MongodbConnection
  readonly pages: Collection<PageDocument>
  readonly attempts: Collection<AttemptDocument>
}

/** Reads a run's record. */
export class MongodbReader implements RunReader {
  readonly identity: RunIdentity
  readonly #place: RecordPlace
  readonly #checkOpen: () => void

  /** @param checkOpen throws when the record has been closed */
  constructor(place: RecordPlace, identity: RunIdentity, checkOpen: () => void = () => {}) {
    this.#place = place
    this.identity = identity
    this.#checkOpen = checkOpen
  }

  async *completedPages(task: number): AsyncIterable<BitmapPage> {
    for await (const { page, bits } of this.#inOrder(this.#place.pages, task)) {
      yield { task, page, bits: Uint8Array.from(bits.buffer) }
    }
  }

  async *failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    for await (const document of this.#inOrder(this.#place.attempts, task)) yield fromDocument(task, document)
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#inOrder<T extends KeyedDocument>(collection: Collection<T>, task: number): AsyncGenerator<T> {
    const cursor = (collection as unknown as Collection<KeyedDocument>).find(
      { _id: within(this.identity.run, task) },
      { sort: { _id: 1 }, batchSize: 500 },
    )
    try {
      for (;;) {
        this.#checkOpen()
        const next = await this.#place.connection.attempt(() => cursor.next())
        if (next === null) return
        yield next as unknown as T
      }
    } finally {
      await cursor.close().catch(() => {})
    }
  }
}

/**
 * Opens a run's record for writing.
 * @param lock the run's lock, if this process holds one
 * @throws InfrastructureError `CONNECTION_LOST`, `UNAUTHORIZED`, `IO_ERROR`
 */
export async function openRecord(
  place: RecordPlace,
  identity: RunIdentity,
  lock: () => HeldLock | undefined,
  options: RecordOptions,
): Promise<RunRecord> {
  const next: number[] = []
  for (const task of identity.tasks.keys()) {
    const last = await place.connection.attempt(() =>
      place.attempts.findOne({ _id: within(identity.run, task) }, { sort: { _id: -1 } }),
    )
    next.push((last?.number ?? -1) + 1)
  }
  return new MongodbRecord(place, identity, lock, options, next)
}

class MongodbRecord implements RunRecord {
  readonly identity: RunIdentity
  readonly #place: RecordPlace
  readonly #reader: MongodbReader
  readonly #lock: () => HeldLock | undefined
  readonly #options: RecordOptions
  /** The number of each task's next failed attempt. */
  readonly #next: number[]
  /** A failed attempt keeps its number: a batch written twice, since the first answer was lost, changes nothing. */
  readonly #numbers = new WeakMap<FailedAttempt, number>()
  #isOpen = true

  constructor(
    place: RecordPlace,
    identity: RunIdentity,
    lock: () => HeldLock | undefined,
    options: RecordOptions,
    next: number[],
  ) {
    this.identity = identity
    this.#place = place
    this.#reader = new MongodbReader(place, identity, () => this.#checkOpen())
    this.#lock = lock
    this.#options = options
    this.#next = next
  }

  completedPages(task: number): AsyncIterable<BitmapPage> {
    return this.#reader.completedPages(task)
  }

  failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    return this.#reader.failedAttempts(task)
  }

  async commit(batch: ProgressBatch, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen()
    const failed = batch.failedAttempts.map((one) => toDocument(this.identity.run, one, this.#numberOf(one)))
    const write = async () => {
      await this.#lock()?.check()
      await this.#addAttempts(failed)
      await this.#putPages(batch.pages)
    }
    await this.#place.connection.persist(write, { signal, onStatus: this.#options.onStatus })
  }

  async clear(task: number, blocks?: Iterable<number>): Promise<void> {
    this.#checkOpen()
    await this.#place.connection.attempt(() =>
      blocks === undefined ? this.#clearAll(task) : this.#clearMasked(task, maskPages(blocks)),
    )
  }

  async sync({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen()
    // The journal is written in order, so everything acknowledged before is on the disk, too.
    await this.#place.connection.persist(this.#options.writeJournaled, {
      signal,
      onStatus: this.#options.onStatus,
    })
  }

  async identify(id: string): Promise<void> {
    this.#checkOpen()
    await this.#options.identify(id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false
  }

  #checkOpen(): void {
    if (this.#isOpen) return
    throw new InfrastructureError('IO_ERROR', `The progress in ${this.#place.connection.name} was closed.`)
  }

  #numberOf(failed: FailedAttempt): number {
    const known = this.#numbers.get(failed)
    if (known !== undefined) return known
    const number = this.#next[failed.task] as number
    this.#next[failed.task] = number + 1
    this.#numbers.set(failed, number)
    return number
  }

  async #putPages(batch: readonly BitmapPage[]): Promise<void> {
    for (let at = 0; at < batch.length; at += PAGES_AT_ONCE) {
      const operations = batch.slice(at, at + PAGES_AT_ONCE).map((page) => replacePage(this.identity.run, page))
      await this.#place.pages.bulkWrite(operations, { ordered: false })
    }
  }

  async #addAttempts(documents: readonly AttemptDocument[]): Promise<void> {
    if (documents.length === 0) return
    try {
      await this.#place.attempts.insertMany(documents, { ordered: false })
    } catch (error) {
      if (!isDuplicateKey(error)) throw error
    }
  }

  async #clearAll(task: number): Promise<void> {
    const _id = within(this.identity.run, task)
    await this.#place.pages.deleteMany({ _id })
    await this.#place.attempts.deleteMany({ _id })
  }

  async #clearMasked(task: number, mask: ReturnType<typeof maskPages>): Promise<void> {
    const { pages, attempts } = this.#place
    const { run } = this.identity
    for (const [page, bits] of mask) {
      const before = await pages.findOne({ _id: keyOf(run, task, page) })
      if (before === null) continue
      await this.#putPages([{ task, page, bits: withoutMask(before.bits.buffer, bits) }])
    }
    const found = attempts.find({ _id: within(run, task) }, { projection: { block: 1 } })
    const cleared: string[] = []
    for await (const { _id, block } of found) if (isInMask(mask, block)) cleared.push(_id)
    for (let at = 0; at < cleared.length; at += REMOVED_AT_ONCE) {
      await attempts.deleteMany({ _id: { $in: cleared.slice(at, at + REMOVED_AT_ONCE) } })
    }
  }
}

function replacePage(run: string, { task, page, bits }: BitmapPage): AnyBulkWriteOperation<PageDocument> {
  const _id = keyOf(run, task, page)
  return { replaceOne: { filter: { _id }, replacement: { page, bits: new Binary(bits) }, upsert: true } }
}

const toDocument = (run: string, { task, error, ...rest }: FailedAttempt, number: number): AttemptDocument => {
  const { code, message, stack } = error
  return { _id: keyOf(run, task, number), number, ...rest, code, message, ...(stack === undefined ? {} : { stack }) }
}

const fromDocument = (task: number, document: AttemptDocument): FailedAttempt => {
  const { block, attempt, isFinal, code, message, stack, workerId, host, durationMs, time } = document
  const error = { code, message, ...(stack === undefined ? {} : { stack }) }
  return { task, block, attempt, isFinal, error, workerId, host, durationMs, time }
}
