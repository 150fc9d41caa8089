import { setTimeout as wait } from 'node:timers/promises'
import { type Db, MongoClient, MongoClientClosedError, MongoTopologyClosedError } from 'mongodb'
import { BlockwiseError, ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import type { StoreStatus } from '../../core/events.ts'
import { mongodbError, noAnswer } from './mongodb-errors.ts'

/** How long an operation looks for a server, and a write waits for a majority of servers. */
const ANSWER_MS = 5000
/** How often each server is pinged; one that does not answer within this time is lost. */
const CHECK_MS = 5000
/** A write unanswered for this long is reported as slow: blocks whose results would have to be recorded are held back. */
const SLOW_MS = 200
/** A write unanswered for this long is reported as a lost server. */
const PATIENCE_MS = 1000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2000

export interface PersistOptions {
  readonly signal?: AbortSignal | undefined
  /** Called when the server is slow or lost, and when it is back. */
  readonly onStatus?: ((status: StoreStatus) => void) | undefined
}

/** One database of a server or a set of servers. */
export class MongodbConnection {
  /** For messages: scheme, hosts and database, without credentials. */
  readonly name: string
  readonly database: Db
  readonly #client: MongoClient
  #isOpen = true

  /** @throws ConfigError `INVALID_CONFIG`, without quoting the address: any part of it may be a password */
  constructor(url: string, options: { readonly fsync: boolean }) {
    const { client, name, database } = openClient(url, options.fsync)
    this.#client = client
    this.name = name
    this.database = client.db(database)
  }

  /**
   * Runs an action once.
   * @throws InfrastructureError `CONNECTION_LOST` if no server answers, `UNAUTHORIZED`, `DISK_FULL`, `IO_ERROR`
   */
  async attempt<T>(action: () => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw this.#asOurs(undefined)
    try {
      return await action()
    } catch (error) {
      throw this.#asOurs(error)
    }
  }

  /**
   * Runs an action that may be repeated, and waits for the server while it is lost.
   * @param options `signal` ends the waiting; there is at least one attempt
   * @throws InfrastructureError as `attempt`
   */
  async persist<T>(action: () => Promise<T>, { signal, onStatus }: PersistOptions): Promise<T> {
    const watch = new StatusWatch(this.name, onStatus)
    try {
      for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
        try {
          const result = await unlessAborted(this.attempt(action), signal)
          watch.reportBack()
          return result
        } catch (error) {
          if (!(error instanceof InfrastructureError) || error.code !== 'CONNECTION_LOST') throw error
          watch.reportLost(error.message)
          if (signal?.aborted !== true) await wait(delay, undefined, { signal }).catch(() => {})
          if (signal?.aborted === true) throw error
        }
      }
    } finally {
      watch.end()
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false
    await this.#client.close()
  }

  #asOurs(error: unknown): unknown {
    if (error instanceof BlockwiseError) return error
    if (!this.#isOpen || error instanceof MongoClientClosedError || error instanceof MongoTopologyClosedError) {
      return new InfrastructureError('IO_ERROR', `The progress in ${this.name} was closed.`)
    }
    return mongodbError(error, this.name)
  }
}

/** Reports the status of one write: slow, then lost, then back; each at most once, and none if the write is fast. */
class StatusWatch {
  readonly #name: string
  readonly #onStatus: ((status: StoreStatus) => void) | undefined
  readonly #timers: readonly NodeJS.Timeout[]
  #status: StoreStatus['status'] = 'back'

  constructor(name: string, onStatus: ((status: StoreStatus) => void) | undefined) {
    this.#name = name
    this.#onStatus = onStatus
    const unanswered = noAnswer(name, `not for ${PATIENCE_MS / 1000} s`)
    this.#timers = [
      setTimeout(() => this.#reportSlow(), SLOW_MS),
      setTimeout(() => this.reportLost(unanswered), PATIENCE_MS),
    ]
  }

  #reportSlow(): void {
    if (this.#status !== 'back') return
    this.#onStatus?.({ status: 'slow' })
    this.#status = 'slow'
  }

  reportLost(message: string): void {
    if (this.#status !== 'lost') this.#onStatus?.({ status: 'lost', message })
    this.#status = 'lost'
  }

  reportBack(): void {
    if (this.#status === 'back') return
    this.#onStatus?.({ status: 'back', message: `The progress in ${this.#name} can be written again.` })
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer)
  }
}

function openClient(url: string, fsync: boolean): { client: MongoClient; name: string; database: string } {
  const expected = 'expected mongodb://user:password@host:27017/database, with %40 for an @ in a password'
  // Credentials end at the last @, since they may contain others.
  if (url.split('@').length > 2) {
    throw new ConfigError('INVALID_CONFIG', `The database's address has more than one @: ${expected}.`)
  }
  let client: MongoClient
  try {
    client = new MongoClient(url, {
      appName: 'bellis',
      serverSelectionTimeoutMS: ANSWER_MS,
      connectTimeoutMS: CHECK_MS,
      heartbeatFrequencyMS: CHECK_MS,
      writeConcern: { w: 'majority', wtimeoutMS: ANSWER_MS, journal: fsync },
    })
  } catch (error) {
    // The driver's message may quote the address, and the wrong part of it may be the password.
    const reason = url.includes('@') ? '' : ` (${messageOf(error)})`
    throw new ConfigError('INVALID_CONFIG', `The database's address can't be parsed${reason}: ${expected}.`)
  }
  const [, path = 'bellis'] = /^[^/]*\/\/[^/]*\/([^?]+)/.exec(url) ?? []
  const database = decodeURIComponent(path)
  const { srvHost, hosts } = client.options
  const place = srvHost === undefined ? `mongodb://${hosts.join(',')}` : `mongodb+srv://${srvHost}`
  return { client, name: `${place}/${database}`, database }
}

/** Resolves as the promise does, unless the signal aborts before that. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined || signal.aborted) return promise
  return new Promise((resolve, reject) => {
    const abandon = () => {
      reject(new InfrastructureError('CONNECTION_LOST', 'The run was stopped before the database answered.'))
    }
    signal.addEventListener('abort', abandon)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abandon))
  })
}
