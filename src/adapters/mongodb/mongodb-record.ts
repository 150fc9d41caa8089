import { type AnyBulkWriteOperation, Binary, type Collection } from 'mongodb'
import { InfrastructureError } from '../../core/errors.ts'
import { isInMask, maskPages, pagesOf, withoutMask } from '../../core/progress/bitmap-pages.ts'
import type { Lineage } from '../../core/progress/lineage.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import type {
  BitmapPage,
  FailedAttempt,
  OpenRecordOptions,
  ProgressBatch,
  RunReader,
  RunRecord,
} from '../../ports/progress-store.ts'
import { type AttemptDocument, AttemptStore, type OldAttemptDocument, type TextDocument } from './mongodb-attempts.ts'
import type { MongodbConnection } from './mongodb-connection.ts'
import { damagedRecord } from './mongodb-errors.ts'
import { batchesOf, type KeyedDocument, keyOf, within } from './mongodb-keys.ts'
import type { HeldLock } from './mongodb-lock.ts'

/**
 * Pages in one command: FerretDB hangs permanently if the pages changed at the same time, by one command or several, reach
 * about a hundred.
 */
const PAGES_AT_ONCE = 32
const REMOVED_AT_ONCE = 1000

/**
 * A page of a holder of the run's lock: the key has the holder's number, the task and the page. A new holder copies the pages of the one
 * before it. So what an older holder writes from then on, even if it was on its way already, is found by nobody; a server only has to
 * support unique keys.
 */
export interface PageDocument extends KeyedDocument {
  readonly page: number
  readonly bits: Binary
}

interface RecordOptions extends OpenRecordOptions {
  /** Stores the id of the record. */
  readonly identify: (id: string) => Promise<void>
  /** Changes the document of the run; acknowledged only once it is on the disks of the servers. */
  readonly writeJournaled: (fields: { readonly lineage?: Lineage }) => Promise<void>
}

/** The location of a run's records. */
export interface RecordPlace {
  readonly connection: MongodbConnection
  readonly pages: Collection<PageDocument>
  readonly attempts: Collection<AttemptDocument>
  readonly texts: Collection<TextDocument>
  /** The pages of records of version 1; the key has the task and the page. */
  readonly oldPages: Collection<PageDocument>
  /** The failed attempts of records of version 1. */
  readonly oldAttempts: Collection<OldAttemptDocument>
}

/** A record as its document describes it. */
export interface RecordHead {
  readonly identity: RunIdentity
  readonly version: number
  /** The number of the holder whose pages count. */
  readonly holder: number
}

/** Reads a run's record. */
export class MongodbReader implements RunReader {
  readonly identity: RunIdentity
  readonly #place: RecordPlace
  readonly #head: RecordHead
  readonly #checkOpen: () => void

  /** @param checkOpen throws when the record has been closed */
  constructor(place: RecordPlace, head: RecordHead, checkOpen: () => void = () => {}) {
    this.#place = place
    this.#head = head
    this.identity = head.identity
    this.#checkOpen = checkOpen
  }

  async *completedPages(task: number): AsyncIterable<BitmapPage> {
    const { run } = this.identity
    const { version, holder } = this.#head
    const [collection, _id] =
      version === 1 ? [this.#place.oldPages, within(run, task)] : [this.#place.pages, within(run, holder, task)]
    for await (const { page, bits } of this.#inOrder(collection, { _id }, '_id')) {
      if (!Number.isSafeInteger(page) || !(bits instanceof Binary)) {
        throw damagedRecord(
          `The record of ${run} in ${this.#place.connection.name}`,
          `a page of task ${task} was changed`,
        )
      }
      yield { task, page, bits: Uint8Array.from(bits.buffer) }
    }
  }

  async *failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    const { attempts, oldAttempts, texts, connection } = this.#place
    const store = new AttemptStore(this.identity.run, attempts, texts)
    const filter = { _id: within(this.identity.run, task) }
    if (this.#head.version === 1) {
      for await (const document of this.#inOrder(oldAttempts, filter, '_id')) yield AttemptStore.fromOld(task, document)
      return
    }
    for await (const batch of batchesOf(this.#inOrder(attempts, filter, 'number'), BATCH)) {
      yield* await connection.attempt(() => store.withTexts(task, batch))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async *#inOrder<T extends KeyedDocument>(
    collection: Collection<T>,
    filter: object,
    by: '_id' | 'number',
  ): AsyncGenerator<T> {
    const cursor = (collection as unknown as Collection<KeyedDocument>).find(filter, {
      sort: { [by]: 1 },
      batchSize: BATCH,
    })
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

const BATCH = 500

/**
 * Opens a run's record for writing.
 * @param lock the run's lock, if this process holds one
 * @throws InfrastructureError `CONNECTION_LOST`, `UNAUTHORIZED`, `IO_ERROR`
 */
export async function openRecord(
  place: RecordPlace,
  head: RecordHead,
  lock: () => HeldLock | undefined,
  options: RecordOptions,
): Promise<RunRecord> {
  const attempts = new AttemptStore(head.identity.run, place.attempts, place.texts)
  await place.connection.attempt(() => attempts.prepare(head.identity.tasks.length))
  return new MongodbRecord(place, head, lock, options, attempts)
}

/** Copies the pages of a record to those of another holder. @param from whose pages count now */
export async function copyPages(place: RecordPlace, from: RecordHead, holder: number): Promise<void> {
  const { run, tasks } = from.identity
  const before = new MongodbReader(place, from)
  for (const task of tasks.keys()) {
    for await (const batch of batchesOf(before.completedPages(task), PAGES_AT_ONCE)) {
      await place.connection.attempt(() => putPages(place, run, holder, batch))
    }
  }
}

/** Writes the finished blocks of a task as pages of a holder. */
export async function putBitmap(
  place: RecordPlace,
  run: string,
  holder: number,
  { task, bitmap }: { readonly task: number; readonly bitmap: Uint8Array },
): Promise<void> {
  let batch: BitmapPage[] = []
  const put = async () => {
    await place.connection.attempt(() => putPages(place, run, holder, batch))
    batch = []
  }
  for (const { page, bits } of pagesOf(bitmap)) {
    batch.push({ task, page, bits })
    if (batch.length === PAGES_AT_ONCE) await put()
  }
  if (batch.length > 0) await put()
}

/** Removes the pages of the holders before one. */
export async function removeOlderPages({ pages }: RecordPlace, run: string, holder: number): Promise<void> {
  await pages.deleteMany({ _id: { $gt: `${keyOf(run)}/`, $lt: keyOf(run, holder) } })
}

async function putPages(
  { pages }: RecordPlace,
  run: string,
  holder: number,
  batch: readonly BitmapPage[],
): Promise<void> {
  for (let at = 0; at < batch.length; at += PAGES_AT_ONCE) {
    const operations = batch.slice(at, at + PAGES_AT_ONCE).map((page) => replacePage(run, holder, page))
    await pages.bulkWrite(operations, { ordered: false })
  }
}

class MongodbRecord implements RunRecord {
  readonly identity: RunIdentity
  readonly #place: RecordPlace
  readonly #head: RecordHead
  readonly #reader: MongodbReader
  readonly #lock: () => HeldLock | undefined
  readonly #options: RecordOptions
  readonly #attempts: AttemptStore
  #isOpen = true

  constructor(
    place: RecordPlace,
    head: RecordHead,
    lock: () => HeldLock | undefined,
    options: RecordOptions,
    attempts: AttemptStore,
  ) {
    this.identity = head.identity
    this.#place = place
    this.#head = head
    this.#reader = new MongodbReader(place, head, () => this.#checkOpen())
    this.#lock = lock
    this.#options = options
    this.#attempts = attempts
  }

  completedPages(task: number): AsyncIterable<BitmapPage> {
    return this.#reader.completedPages(task)
  }

  failedAttempts(task: number): AsyncIterable<FailedAttempt> {
    return this.#reader.failedAttempts(task)
  }

  async commit(batch: ProgressBatch, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen()
    const write = async () => {
      await this.#lock()?.check()
      await this.#attempts.put(batch.failedAttempts)
      await this.#putPages(batch.pages)
      // A process that takes the run over after this copies what was written; if it did so before, nothing of it counts.
      await this.#lock()?.check()
    }
    await this.#place.connection.persist(write, { signal, onStatus: this.#options.onStatus })
  }

  async clear(task: number, blocks?: Iterable<number>): Promise<void> {
    this.#checkOpen()
    await this.#place.connection.attempt(async () => {
      await this.#lock()?.check()
      if (blocks === undefined) await this.#clearAll(task)
      else await this.#clearMasked(task, maskPages(blocks))
    })
    // What is done again may be gone already, and a power cut must not bring back that it is done.
    await this.sync()
  }

  async sync({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen()
    await this.#writeJournaled({}, signal)
  }

  async continueAs(lineage: Lineage, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen()
    await this.#writeJournaled({ lineage }, signal)
  }

  /** The journal is written in order, so everything acknowledged before is on the disk, too. */
  #writeJournaled(fields: { readonly lineage?: Lineage }, signal: AbortSignal | undefined): Promise<void> {
    const write = () => this.#options.writeJournaled(fields)
    return this.#place.connection.persist(write, { signal, onStatus: this.#options.onStatus })
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

  async #putPages(batch: readonly BitmapPage[]): Promise<void> {
    await putPages(this.#place, this.identity.run, this.#head.holder, batch)
  }

  async #clearAll(task: number): Promise<void> {
    const { run } = this.identity
    await this.#place.pages.deleteMany({ _id: within(run, this.#head.holder, task) })
    await this.#place.attempts.deleteMany({ _id: within(run, task) })
  }

  async #clearMasked(task: number, mask: ReturnType<typeof maskPages>): Promise<void> {
    const { pages, attempts } = this.#place
    const { run } = this.identity
    for (const [page, bits] of mask) {
      const stored = await pages.findOne({ _id: keyOf(run, this.#head.holder, task, page) })
      if (stored === null) continue
      await this.#putPages([{ task, page, bits: withoutMask(stored.bits.buffer, bits) }])
    }
    const found = attempts.find({ _id: within(run, task) }, { projection: { block: 1 } })
    const cleared: string[] = []
    for await (const { _id, block } of found) if (isInMask(mask, block)) cleared.push(_id)
    for (let at = 0; at < cleared.length; at += REMOVED_AT_ONCE) {
      const _id = { $in: cleared.slice(at, at + REMOVED_AT_ONCE) }
      await attempts.deleteMany({ _id })
    }
  }
}

function replacePage(
  run: string,
  holder: number,
  { task, page, bits }: BitmapPage,
): AnyBulkWriteOperation<PageDocument> {
  const _id = keyOf(run, holder, task, page)
  return { replaceOne: { filter: { _id }, replacement: { page, bits: new Binary(bits) }, upsert: true } }
}
