import { type AnyBulkWriteOperation, Binary, type Collection } from 'mongodb'
import { ConfigError, type ErrorCode, InfrastructureError } from '../../core/errors.ts'
import { isInMask, maskPages, withoutMask } from '../../core/progress/bitmap-pages.ts'
import { checkSameTasks, type RecordedTask, type RunIdentity } from '../../core/progress/run-identity.ts'
import type {
  BitmapPage,
  FailedTry,
  OpenRecordOptions,
  ProgressStore,
  RunReader,
  RunRecord,
} from '../../ports/progress-store.ts'
import { connectMongodb, type MongodbConnection } from './mongodb-connection.ts'
import { isDuplicateKey, type KeyedDocument, keyOf, within } from './mongodb-keys.ts'
import { type HeldLock, lockRun } from './mongodb-lock.ts'

export interface MongodbProgressOptions {
  /** Has the servers sync every commit to their disks. @default false */
  readonly fsync?: boolean
}

/** Raised when older versions can't read what is written. */
const SCHEMA_VERSION = 1
/** Pages in one command: FerretDB stands still for good when one command, or all together, change about a hundred. */
const PAGES_AT_ONCE = 32

interface RunDocument {
  readonly _id: string
  readonly version: number
  readonly tasks: readonly RecordedTask[]
}

interface PageDocument extends KeyedDocument {
  readonly page: number
  readonly bits: Binary
}

interface TryDocument extends Omit<FailedTry, 'task' | 'error'>, KeyedDocument {
  readonly number: number
  readonly code: ErrorCode
  readonly message: string
  readonly stack?: string
}

/**
 * The records of many runs in a MongoDB database.
 * @param url `mongodb://user:password@host:27017/database?…`; nothing of the credentials gets into a message
 * @throws ConfigError `INVALID_CONFIG`
 */
export function mongodbProgress(url: string, options: MongodbProgressOptions = {}): ProgressStore {
  const connection = connectMongodb(url, { fsync: options.fsync ?? false })
  const { name, database, attempt } = connection
  const runs = database.collection<RunDocument>('runs')
  const pages = database.collection<PageDocument>('finished_pages')
  const tries = database.collection<TryDocument>('failed_tries')
  const locks = new Map<string, HeldLock>()

  const findRun = async (run: string): Promise<RunIdentity | undefined> => {
    const found = await attempt(() => runs.findOne({ _id: run }))
    if (found === null) return undefined
    const { version, tasks } = found
    if (version === SCHEMA_VERSION) return { run, tasks }
    throw new ConfigError(
      'UNSUPPORTED',
      `The progress of ${run} in ${name} was written by a newer Bellis (version ${version}, and this one reads ${SCHEMA_VERSION}); continue it with that one, or start again with --overwrite.`,
    )
  }
  const makeRun = async ({ run, tasks }: RunIdentity): Promise<void> => {
    try {
      await attempt(() => runs.insertOne({ _id: run, version: SCHEMA_VERSION, tasks }))
    } catch (error) {
      // Another process was faster, or the answer to a first try was lost: then it is there to be compared.
      if (!isDuplicateKey(error)) throw error
    }
  }
  const collections: Collections = { pages, tries }

  return {
    name,
    async open(identity, options = {}) {
      if ((await findRun(identity.run)) === undefined) await makeRun(identity)
      const recorded = await findRun(identity.run)
      checkSameTasks(recorded?.tasks ?? [], identity.tasks, `${name}, ${identity.run}`)
      const lock = () => locks.get(identity.run)
      return openRecord(connection, collections, identity, lock, options)
    },
    async read(run) {
      const identity = await findRun(run)
      return identity === undefined ? undefined : readerOf(connection, collections, identity, () => {})
    },
    async remove(run) {
      // The run itself last: what is removed in part still says what it is of.
      await attempt(async () => {
        await pages.deleteMany({ _id: within(run) })
        await tries.deleteMany({ _id: within(run) })
        await runs.deleteOne({ _id: run })
      })
    },
    async lock(run, owner) {
      const lock = await lockRun(connection, run, owner)
      locks.set(run, lock)
      return {
        lost: lock.lost,
        async [Symbol.asyncDispose]() {
          if (locks.get(run) === lock) locks.delete(run)
          await lock[Symbol.asyncDispose]()
        },
      }
    },
    async [Symbol.asyncDispose]() {
      for (const lock of locks.values()) await lock[Symbol.asyncDispose]()
      await connection.close()
    },
  }
}

interface Collections {
  readonly pages: Collection<PageDocument>
  readonly tries: Collection<TryDocument>
}

function readerOf(
  { attempt }: MongodbConnection,
  { pages, tries }: Collections,
  identity: RunIdentity,
  checkOpen: () => void,
): RunReader {
  const inOrder = async function* <T extends KeyedDocument>(collection: Collection<T>, task: number) {
    const cursor = (collection as unknown as Collection<KeyedDocument>).find(
      { _id: within(identity.run, task) },
      { sort: { _id: 1 }, batchSize: 500 },
    )
    try {
      for (;;) {
        checkOpen()
        const next = await attempt(() => cursor.next())
        if (next === null) return
        yield next as unknown as T
      }
    } finally {
      await cursor.close().catch(() => {})
    }
  }
  return {
    identity,
    async *completedPages(task) {
      for await (const { page, bits } of inOrder(pages, task)) yield { task, page, bits: Uint8Array.from(bits.buffer) }
    },
    async *failedTries(task) {
      for await (const document of inOrder(tries, task)) yield fromDocument(task, document)
    },
    async [Symbol.asyncDispose]() {},
  }
}

async function openRecord(
  connection: MongodbConnection,
  { pages, tries }: Collections,
  identity: RunIdentity,
  lock: () => HeldLock | undefined,
  { onStatus }: OpenRecordOptions,
): Promise<RunRecord> {
  const { run, tasks } = identity
  const { attempt, persist, name } = connection
  let isOpen = true
  const checkOpen = () => {
    if (!isOpen) throw new InfrastructureError('IO_ERROR', `The progress in ${name} was closed.`)
  }
  /** The number that a task's next failed try gets. */
  const next: number[] = []
  for (const task of tasks.keys()) {
    const last = await attempt(() => tries.findOne({ _id: within(run, task) }, { sort: { _id: -1 } }))
    next.push((last?.number ?? -1) + 1)
  }
  // A try keeps its number: a batch that is written again, since its answer was lost, changes nothing.
  const numbers = new WeakMap<FailedTry, number>()
  const numberOf = (failed: FailedTry): number => {
    const known = numbers.get(failed)
    if (known !== undefined) return known
    const number = next[failed.task] as number
    next[failed.task] = number + 1
    numbers.set(failed, number)
    return number
  }
  const putPage = ({ task, page, bits }: BitmapPage): AnyBulkWriteOperation<PageDocument> => {
    const _id = keyOf(run, task, page)
    return { replaceOne: { filter: { _id }, replacement: { page, bits: new Binary(bits) }, upsert: true } }
  }
  const putPages = async (batch: readonly BitmapPage[]): Promise<void> => {
    for (let at = 0; at < batch.length; at += PAGES_AT_ONCE) {
      await pages.bulkWrite(batch.slice(at, at + PAGES_AT_ONCE).map(putPage), { ordered: false })
    }
  }
  const addTries = async (documents: readonly TryDocument[]): Promise<void> => {
    if (documents.length === 0) return
    try {
      await tries.insertMany(documents, { ordered: false })
    } catch (error) {
      if (!isDuplicateKey(error)) throw error
    }
  }

  return {
    ...readerOf(connection, { pages, tries }, identity, checkOpen),
    async commit(batch, { signal } = {}) {
      checkOpen()
      const failed = batch.failedTries.map((failed) => toDocument(run, failed, numberOf(failed)))
      const write = async () => {
        await lock()?.check()
        await addTries(failed)
        await putPages(batch.pages)
      }
      await persist(write, { signal, onStatus })
    },
    async clear(task, blocks) {
      checkOpen()
      await attempt(async () => {
        if (blocks === undefined) {
          await pages.deleteMany({ _id: within(run, task) })
          await tries.deleteMany({ _id: within(run, task) })
          return
        }
        const mask = maskPages(blocks)
        for (const [page, bits] of mask) {
          const before = await pages.findOne({ _id: keyOf(run, task, page) })
          if (before === null) continue
          await putPages([{ task, page, bits: withoutMask(before.bits.buffer, bits) }])
        }
        const found = tries.find({ _id: within(run, task) }, { projection: { block: 1 } })
        const forgotten: string[] = []
        for await (const { _id, block } of found) if (isInMask(mask, block)) forgotten.push(_id)
        for (let at = 0; at < forgotten.length; at += 1000) {
          await tries.deleteMany({ _id: { $in: forgotten.slice(at, at + 1000) } })
        }
      })
    },
    async [Symbol.asyncDispose]() {
      isOpen = false
    },
  }
}

const toDocument = (run: string, { task, error, ...rest }: FailedTry, number: number): TryDocument => {
  const { code, message, stack } = error
  return { _id: keyOf(run, task, number), number, ...rest, code, message, ...(stack === undefined ? {} : { stack }) }
}

const fromDocument = (task: number, document: TryDocument): FailedTry => {
  const { block, attempt, isFinal, code, message, stack, workerId, host, durationMs, time } = document
  const error = { code, message, ...(stack === undefined ? {} : { stack }) }
  return { task, block, attempt, isFinal, error, workerId, host, durationMs, time }
}
