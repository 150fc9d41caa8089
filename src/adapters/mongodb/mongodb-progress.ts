import type { Collection } from 'mongodb'
import { ConfigError } from '../../core/errors.ts'
import { checkSameTasks, type RecordedTask, type RunIdentity } from '../../core/progress/run-identity.ts'
import type {
  LockOwner,
  OpenRecordOptions,
  ProgressStore,
  RunLock,
  RunReader,
  RunRecord,
} from '../../ports/progress-store.ts'
import { MongodbConnection } from './mongodb-connection.ts'
import { isDuplicateKey, within } from './mongodb-keys.ts'
import { type HeldLock, lockRun } from './mongodb-lock.ts'
import {
  type AttemptDocument,
  MongodbReader,
  openRecord,
  type PageDocument,
  type RecordPlace,
} from './mongodb-record.ts'

export interface MongodbProgressOptions {
  /** Has the servers sync every commit to their disks. @default false */
  readonly fsync?: boolean
}

/** Raised when older versions can't read what is written. */
const SCHEMA_VERSION = 1

interface RunDocument {
  readonly _id: string
  readonly version: number
  /** Documents of version 0.1.0 have none. */
  readonly id?: string
  readonly tasks: readonly RecordedTask[]
}

/**
 * The records of many runs in a MongoDB database.
 * @param url `mongodb://user:password@host:27017/database?…`; no message contains any of the credentials
 * @throws ConfigError `INVALID_CONFIG`
 */
export const mongodbProgress = (url: string, options: MongodbProgressOptions = {}): ProgressStore =>
  new MongodbProgress(new MongodbConnection(url, { fsync: options.fsync ?? false }))

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
      pages: database.collection<PageDocument>('finished_pages'),
      attempts: database.collection<AttemptDocument>('failed_tries'),
    }
  }

  async open(identity: RunIdentity, options: OpenRecordOptions = {}): Promise<RunRecord> {
    const { run, tasks } = identity
    if ((await this.#find(run)) === undefined) await this.#add(identity)
    const recorded = await this.#find(run)
    checkSameTasks(recorded?.tasks ?? [], tasks, `${this.name}, ${run}`)
    const known = recorded?.id === undefined ? {} : { id: recorded.id }
    const identify = async (id: string) => {
      await this.#connection.attempt(() => this.#runs.updateOne({ _id: run }, { $set: { id } }))
    }
    return openRecord(this.#place, { run, ...known, tasks }, () => this.#locks.get(run), {
      ...options,
      identify,
      writeJournaled: async () => {
        const change = { $set: { synced: new Date() } }
        await this.#runs.updateOne({ _id: run }, change, { writeConcern: { w: 'majority', journal: true } })
      },
    })
  }

  async read(run: string): Promise<RunReader | undefined> {
    const identity = await this.#find(run)
    return identity === undefined ? undefined : new MongodbReader(this.#place, identity)
  }

  async remove(run: string): Promise<void> {
    const { pages, attempts } = this.#place
    // The run itself last, so that a record removed only in part still says which run it is of.
    await this.#connection.attempt(async () => {
      await pages.deleteMany({ _id: within(run) })
      await attempts.deleteMany({ _id: within(run) })
      await this.#runs.deleteOne({ _id: run })
    })
  }

  async lock(run: string, owner: LockOwner): Promise<RunLock> {
    const lock = await lockRun(this.#connection, run, owner)
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

  async #find(run: string): Promise<RunIdentity | undefined> {
    const found = await this.#connection.attempt(() => this.#runs.findOne({ _id: run }))
    if (found === null) return undefined
    const { version, id, tasks } = found
    if (version === SCHEMA_VERSION) return { run, ...(id === undefined ? {} : { id }), tasks }
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress of ${run} in ${this.name} was written by a newer Bellis (version ${version}; this one reads ${SCHEMA_VERSION}); continue with that Bellis, or start again with --overwrite.`,
    )
  }

  async #add({ run, id, tasks }: RunIdentity): Promise<void> {
    const document = { _id: run, version: SCHEMA_VERSION, ...(id === undefined ? {} : { id }), tasks }
    try {
      await this.#connection.attempt(() => this.#runs.insertOne(document))
    } catch (error) {
      // Another process was faster, or the answer to a first attempt was lost: the document is there to be compared.
      if (!isDuplicateKey(error)) throw error
    }
  }
}
