import { setTimeout as wait } from 'node:timers/promises'
import {
  type Db,
  MongoBulkWriteError,
  MongoClient,
  MongoClientClosedError,
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
} from 'mongodb'
import { BlockwiseError, ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import type { StoreStatus } from '../../core/events.ts'

/** How long an operation looks for a server that takes it, and a write for a majority of servers. */
const ANSWER_MS = 5000
/** How often servers are asked whether they live; one that does not answer in as long is lost. */
const CHECK_MS = 5000
/** After so long without an answer to a write, no more is to be finished that would have to be written. */
const SLOW_MS = 200
/** After so long there is no server. */
const PATIENCE_MS = 1000
const FIRST_DELAY_MS = 100
const LONGEST_DELAY_MS = 2000

// Server codes (its error_codes.yml). While a new primary is chosen, or a server stops: another one, or it later, will do.
const PASSING_CODES = new Set<unknown>([6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])
/** What Node says of a connection that is gone. */
const SOCKET_CODES = new Set<unknown>(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'ENOTCONN'])
const [UNAUTHORIZED, AUTHENTICATION_FAILED, OUT_OF_DISK_SPACE] = [13, 18, 14031]

/** One database of a server or a set of servers. */
export interface MongodbConnection {
  /** For people: scheme, hosts and database, without credentials. */
  readonly name: string
  readonly database: Db
  /**
   * Does something once.
   * @throws InfrastructureError `CONNECTION_LOST` where no server answers, `UNAUTHORIZED`, `DISK_FULL`, `IO_ERROR`
   */
  attempt<T>(action: () => Promise<T>): Promise<T>
  /**
   * Does something that may be done again, and waits for the server where it is lost.
   * @param options `signal` ends the waiting: there is one try at least
   * @throws InfrastructureError as `attempt`
   */
  persist<T>(action: () => Promise<T>, options: PersistOptions): Promise<T>
  close(): Promise<void>
}

export interface PersistOptions {
  readonly signal?: AbortSignal | undefined
  /** Told when the server is lost, and when it is back. */
  readonly onStatus?: ((link: StoreStatus) => void) | undefined
}

/** @throws ConfigError `INVALID_CONFIG`, without what the address says: it may hold a password in any place */
export function connectMongodb(url: string, options: { readonly fsync: boolean }): MongodbConnection {
  const { client, name, database } = openClient(url, options.fsync)
  let isOpen = true

  const ours = (error: unknown): unknown => {
    if (error instanceof BlockwiseError) return error
    if (!isOpen || error instanceof MongoClientClosedError || error instanceof MongoTopologyClosedError) {
      return new InfrastructureError('IO_ERROR', `The progress in ${name} was closed.`)
    }
    return asOurs(error, name)
  }
  const attempt = async <T>(action: () => Promise<T>): Promise<T> => {
    if (!isOpen) throw ours(undefined)
    try {
      return await action()
    } catch (error) {
      throw ours(error)
    }
  }
  const persist = async <T>(action: () => Promise<T>, { signal, onStatus }: PersistOptions): Promise<T> => {
    let status: StoreStatus['status'] = 'back'
    const tellLost = (message: string) => {
      if (status !== 'lost') onStatus?.({ status: 'lost', message })
      status = 'lost'
    }
    const slowness = setTimeout(() => {
      if (status === 'back') onStatus?.({ status: 'slow' })
      status = status === 'back' ? 'slow' : status
    }, SLOW_MS)
    const patience = setTimeout(() => tellLost(noAnswer(name, `not for ${PATIENCE_MS / 1000} s`)), PATIENCE_MS)
    try {
      for (let delay = FIRST_DELAY_MS; ; delay = Math.min(2 * delay, LONGEST_DELAY_MS)) {
        try {
          const result = await unlessAborted(attempt(action), signal)
          if (status !== 'back')
            onStatus?.({ status: 'back', message: `The progress in ${name} can be written again.` })
          return result
        } catch (error) {
          if (!(error instanceof InfrastructureError) || error.code !== 'CONNECTION_LOST') throw error
          tellLost(error.message)
          if (signal?.aborted !== true) await wait(delay, undefined, { signal }).catch(() => {})
          if (signal?.aborted === true) throw error
        }
      }
    } finally {
      clearTimeout(slowness)
      clearTimeout(patience)
    }
  }
  return {
    name,
    database: client.db(database),
    attempt,
    persist,
    async close() {
      isOpen = false
      await client.close()
    },
  }
}

function openClient(url: string, fsync: boolean): { client: MongoClient; name: string; database: string } {
  const right = 'it must look like mongodb://user:password@host:27017/database, with %40 for an @ in a password'
  // Credentials end at the last @, whatever is in them.
  if (url.split('@').length > 2)
    throw new ConfigError('INVALID_CONFIG', `The database's address has more than one @; ${right}.`)
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
    // What the driver says quotes the address at times, and the wrong part of it may be the password.
    const reason = url.includes('@') ? '' : ` (${messageOf(error)})`
    throw new ConfigError('INVALID_CONFIG', `The database's address can't be understood${reason}; ${right}.`)
  }
  const [, path = 'bellis'] = /^[^/]*\/\/[^/]*\/([^?]+)/.exec(url) ?? []
  const database = decodeURIComponent(path)
  const { srvHost, hosts } = client.options
  const place = srvHost === undefined ? `mongodb://${hosts.join(',')}` : `mongodb+srv://${srvHost}`
  return { client, name: `${place}/${database}`, database }
}

const noAnswer = (name: string, how: string): string =>
  `No server answers at ${name} (${how}); see that it runs and can be reached from here.`

function asOurs(error: unknown, name: string): InfrastructureError {
  const make = (code: 'CONNECTION_LOST' | 'UNAUTHORIZED' | 'DISK_FULL' | 'IO_ERROR', what: string) =>
    new InfrastructureError(code, what, { cause: error })
  const { code } = error as { code?: unknown }
  const said = messageOf(error)
  if (isPassing(error)) {
    return make('CONNECTION_LOST', noAnswer(name, said))
  }
  if (code === AUTHENTICATION_FAILED || code === UNAUTHORIZED) {
    return make('UNAUTHORIZED', `${name} does not let this user in (${said}); see to user, password and rights.`)
  }
  if (code === OUT_OF_DISK_SPACE) {
    return make(
      'DISK_FULL',
      `The disk of ${name} is full; free some space there: what was recorded is safe, and the same command continues.`,
    )
  }
  return make('IO_ERROR', `The progress in ${name} can't be read or written (${said}).`)
}

/** Whether the same may succeed later: no server was there, or none that is the primary. */
function isPassing(error: unknown): boolean {
  // The driver wraps whatever ends a bulk write, a lost connection too.
  if (error instanceof MongoBulkWriteError && isPassing(error.errorResponse)) return true
  // It lets through as it is what a socket says that the server has closed just before it is written to.
  if (!(error instanceof MongoError)) return SOCKET_CODES.has((error as { code?: unknown } | undefined)?.code)
  const isNetwork =
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNotConnectedError ||
    error instanceof MongoOperationTimeoutError
  return isNetwork || error.hasErrorLabel('RetryableWriteError') || PASSING_CODES.has(error.code)
}

/** What a promise gives, unless the signal comes while it is waited for. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined || signal.aborted) return promise
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      reject(new InfrastructureError('CONNECTION_LOST', 'The server was not waited for until it answered.'))
    }
    signal.addEventListener('abort', giveUp)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}
