import type { Collection, UpdateOptions } from 'mongodb'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { type Lineage, parseLineage } from '../../core/progress/lineage.ts'
import {
  checkSameTasks,
  isRecordedTask,
  type RecordedTask,
  type RunIdentity,
} from '../../core/progress/run-identity.ts'
import type {
  LockOwner,
  OpenRecordOptions,
  ProgressStore,
  RunLock,
  RunReader,
  RunRecord,
} from '../../ports/progress-store.ts'
import { type AttemptDocument, AttemptStore, type OldAttemptDocument, type TextDocument } from './mongodb-attempts.ts'
import { MongodbConnection } from './mongodb-connection.ts'
import { damagedRecord } from './mongodb-errors.ts'
import { batchesOf, isDuplicateKey, within } from './mongodb-keys.ts'
import { type HeldLock, lockRun } from './mongodb-lock.ts'
import {
  copyPages,
  MongodbReader,
  openRecord,
  type PageDocument,
  putBitmap,
  type RecordHead,
  type RecordPlace,
  removeOlderPages,
} from './mongodb-record.ts'

export interface MongodbProgressOptions {
  /** Has the servers sync every commit to their disks. @default false */
  readonly fsync?: boolean
}

/** Raised when older versions can't read what is written. */
const SCHEMA_VERSION = 2

/** Failed attempts of version 1 that are converted together. */
const CONVERTED_AT_ONCE = 500

interface RunDocument {
  readonly _id: string
  readonly version: number
  /** The number of the newest holder of the run's lock that has opened it for writing; its pages count. */
  readonly holder?: number
  /** Documents of version 0.1.0 have none. */
  readonly id?: string
  /** Documents that no start has continued since version 0.1.0 have none. */
  readonly lineage?: Lineage
  readonly tasks: readonly RecordedTask[]
}

/**
 * The records of many runs in a MongoDB database.
 * @param url `mongodb://user:password@host:27017/database?…`; no message contains any of the credentials
 * @throws ConfigError `INVALID_CONFIG`
 */
export const mongodbProgress = (url: string, options: MongodbProgressOptions = {}): ProgressStore =>
  new MongodbProgress(new MongodbConnection(url, { fsync: options.fsync ?? false }))

/** Matches the document of a run unless a newer holder has opened it. */
const notAfter = (holder: number) => ({ $or: [{ holder: { $lte: holder } }, { holder: { $exists: false } }] })

class MongodbProgress implements ProgressStore {
  readonly name: string
  readonly #connection: MongodbConnection
  readonly #runs: Collection<RunDocument>
  readonly #place: RecordPlace
  readonly #locks = new Map<string, HeldLock>()

  constructor(connection: MongodbConnection) {
    const { name, database } = connection
    this.name = name
    this.#connection = connection
    this.#runs = database.collection<RunDocument>('runs')
    this.#place = {
      connection,
      pages: database.collection<PageDocument>('held_pages'),
      attempts: database.collection<AttemptDocument>('failed_attempts'),
      texts: database.collection<TextDocument>('error_texts'),
      oldPages: database.collection<PageDocument>('finished_pages'),
      oldAttempts: database.collection<OldAttemptDocument>('failed_tries'),
    }
  }

  async open(identity: RunIdentity, options: OpenRecordOptions = {}): Promise<RunRecord> {
    const { run, tasks } = identity
    const lock = this.#locks.get(run)
    if ((await this.#find(run)) === undefined) await this.#add(identity, lock)
    const recorded = await this.#find(run)
    checkSameTasks(recorded?.identity.tasks ?? [], tasks, `${this.name}, ${run}`)
    const before = recorded ?? { identity, version: SCHEMA_VERSION, holder: 0 }
    const holder = lock?.number ?? before.holder
    if (before.version < SCHEMA_VERSION || before.holder !== holder) await this.#renew(before, holder, lock)
    const head = { identity: { ...before.identity, run, tasks }, version: SCHEMA_VERSION, holder }
    const change = (fields: object, options?: UpdateOptions) => this.#change(run, lock, holder, fields, options)
    return openRecord(this.#place, head, () => this.#locks.get(run), {
      ...options,
      identify: (id) => change({ id }),
      writeJournaled: (fields) =>
        change({ ...fields, synced: new Date() }, { writeConcern: { w: 'majority', journal: true } }),
    })
  }

  async read(run: string): Promise<RunReader | undefined> {
    const head = await this.#find(run)
    return head === undefined ? undefined : new MongodbReader(this.#place, head)
  }

  async carryOver(run: string, tasks: readonly RecordedTask[], completed: readonly Uint8Array[]): Promise<void> {
    const before = await this.#find(run)
    if (before === undefined) return
    const lock = this.#locks.get(run)
    // Pages of a holder count only once the document names it, which it does together with the new tasks.
    const holder = lock?.number ?? before.holder + 1
    const { pages, attempts } = this.#place
    await this.#connection.attempt(() => pages.deleteMany({ _id: within(run, holder) }))
    for (const [task, bitmap] of completed.entries()) await putBitmap(this.#place, run, holder, { task, bitmap })
    const journaled: UpdateOptions = { writeConcern: { w: 'majority', journal: true } }
    await this.#change(run, lock, holder, { version: SCHEMA_VERSION, holder, tasks, synced: new Date() }, journaled)
    await this.#connection.attempt(async () => {
      await removeOlderPages(this.#place, run, holder)
      await attempts.deleteMany({ _id: within(run) })
    })
  }

  async find(ending: string): Promise<string[]> {
    const _id = { $regex: `${ending.replaceAll(/[^\w@]/g, '\\$&')}$` }
    const found = () => this.#runs.find({ _id }, { projection: { _id: 1 } }).toArray()
    return (await this.#connection.attempt(found)).map(({ _id }) => _id).sort()
  }

  async remove(run: string): Promise<void> {
    const { pages, attempts, oldPages, oldAttempts, texts } = this.#place
    const lock = this.#locks.get(run)
    // The run itself last, so that a record removed only in part still says which run it is of.
    await this.#connection.attempt(async () => {
      await lock?.check()
      if (lock === undefined) await pages.deleteMany({ _id: within(run) })
      else await removeOlderPages(this.#place, run, lock.number + 1)
      await oldPages.deleteMany({ _id: within(run) })
      await attempts.deleteMany({ _id: within(run) })
      await oldAttempts.deleteMany({ _id: within(run) })
      await texts.deleteMany({ _id: within(run) })
      await this.#runs.deleteOne(lock === undefined ? { _id: run } : { _id: run, ...notAfter(lock.number) })
    })
  }

  async lock(run: string, owner: LockOwner, hasEnded: (holder: LockOwner) => Promise<boolean>): Promise<RunLock> {
    const lock = await lockRun(this.#connection, run, owner, hasEnded)
    this.#locks.set(run, lock)
    return {
      lost: lock.lost,
      [Symbol.asyncDispose]: async () => {
        if (this.#locks.get(run) === lock) this.#locks.delete(run)
        await lock[Symbol.asyncDispose]()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lock of this.#locks.values()) await lock[Symbol.asyncDispose]()
    await this.#connection.close()
  }

  /**
   * Makes the pages of a record those of a new holder, and those of version 1 such of the current version. If it is interrupted, the
   * record stays as it was, and the next one starts again.
   */
  async #renew(before: RecordHead, holder: number, lock: HeldLock | undefined): Promise<void> {
    const { run } = before.identity
    const { oldPages, oldAttempts } = this.#place
    await copyPages(this.#place, before, holder)
    if (before.version === 1) await this.#copyAttempts(before)
    await this.#change(run, lock, holder, { version: SCHEMA_VERSION, holder })
    await this.#connection.attempt(async () => {
      await removeOlderPages(this.#place, run, holder)
      if (before.version > 1) return
      await oldPages.deleteMany({ _id: within(run) })
      await oldAttempts.deleteMany({ _id: within(run) })
    })
  }

  /** Stores the failed attempts of a record of version 1 as those of the current version. */
  async #copyAttempts(before: RecordHead): Promise<void> {
    const reader = new MongodbReader(this.#place, before)
    const store = new AttemptStore(before.identity.run, this.#place.attempts, this.#place.texts)
    for (const task of before.identity.tasks.keys()) {
      for await (const batch of batchesOf(reader.failedAttempts(task), CONVERTED_AT_ONCE)) {
        await this.#connection.attempt(() => store.put(batch))
      }
    }
  }

  /** Changes the document of a run. @throws InfrastructureError `RUN_LOCKED` if it has a newer holder */
  async #change(
    run: string,
    lock: HeldLock | undefined,
    holder: number,
    fields: object,
    options?: UpdateOptions,
  ): Promise<void> {
    const update = () => this.#runs.updateOne({ _id: run, ...notAfter(holder) }, { $set: fields }, options)
    const { matchedCount } = await this.#connection.attempt(update)
    if (matchedCount > 0) return
    await lock?.check()
    throw new InfrastructureError('IO_ERROR', `The record of ${run} in ${this.name} was removed; start the run again.`)
  }

  async #find(run: string): Promise<RecordHead | undefined> {
    const found = await this.#connection.attempt(() => this.#runs.findOne({ _id: run }))
    if (found === null) return undefined
    assertRecord(found, `${run} in ${this.name}`)
    const { version, id, lineage, tasks, holder = 0 } = found
    if (version >= 1 && version <= SCHEMA_VERSION) {
      return { identity: { run, ...given({ id, lineage }), tasks }, version, holder }
    }
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress of ${run} in ${this.name} was written by a newer Bellis (version ${version}; this one reads ${SCHEMA_VERSION}); continue with that Bellis, or start again with --overwrite.`,
    )
  }

  async #add({ run, id, tasks }: RunIdentity, lock: HeldLock | undefined): Promise<void> {
    const mark = lock === undefined ? {} : { holder: lock.number }
    const document = { _id: run, version: SCHEMA_VERSION, ...(id === undefined ? {} : { id }), ...mark, tasks }
    try {
      await this.#connection.attempt(() => this.#runs.insertOne(document))
    } catch (error) {
      // Another process was faster, or the answer to a first attempt was lost: the document is there to be compared.
      if (!isDuplicateKey(error)) throw error
    }
  }
}

/** Others may have changed a document. @param which record, for people @throws InfrastructureError `CORRUPT_DATA` */
function assertRecord({ version, id, lineage, holder, tasks }: RunDocument, which: string): void {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
  const isText = (value: unknown) => typeof value === 'string'
  const wrong = [
    ...(isCount(version) ? [] : ['version']),
    ...(id === undefined || isText(id) ? [] : ['id']),
    ...(holder === undefined || isCount(holder) ? [] : ['holder']),
    ...(lineage === undefined || parseLineage(lineage) !== undefined ? [] : ['lineage']),
    ...(Array.isArray(tasks) && tasks.every(isRecordedTask) ? [] : ['tasks']),
  ]
  if (wrong.length > 0) throw damagedRecord(`The record of ${which}`, `its field "${wrong[0]}" was changed`)
}
