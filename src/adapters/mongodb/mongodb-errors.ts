import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
} from 'mongodb'
import { InfrastructureError, messageOf } from '../../core/errors.ts'

// Server codes (its error_codes.yml) that pass: a new primary is being elected, or the server is shutting down.
const PASSING_CODES = new Set<unknown>([6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436])
/** Node's codes for a lost connection. */
const SOCKET_CODES = new Set<unknown>(['EPIPE', 'ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'ETIMEDOUT', 'ENOTCONN'])
const [UNAUTHORIZED, AUTHENTICATION_FAILED, OUT_OF_DISK_SPACE] = [13, 18, 14031]

export const noAnswer = (name: string, how: string): string =>
  `No server answers at ${name} (${how}); check that it is running and reachable from here.`

/** Turns an error of the driver into `CONNECTION_LOST`, `UNAUTHORIZED`, `DISK_FULL` or `IO_ERROR`. @param name for messages */
export function mongodbError(error: unknown, name: string): InfrastructureError {
  const make = (code: 'CONNECTION_LOST' | 'UNAUTHORIZED' | 'DISK_FULL' | 'IO_ERROR', what: string) =>
    new InfrastructureError(code, what, { cause: error })
  const { code } = error as { code?: unknown }
  const reason = messageOf(error)
  if (isPassing(error)) return make('CONNECTION_LOST', noAnswer(name, reason))
  if (code === AUTHENTICATION_FAILED || code === UNAUTHORIZED) {
    return make('UNAUTHORIZED', `${name} refuses this user (${reason}); check user name, password and permissions.`)
  }
  if (code === OUT_OF_DISK_SPACE) {
    return make(
      'DISK_FULL',
      `The disk of ${name} is full; free some space there: what was recorded is safe, and the same command continues.`,
    )
  }
  return make('IO_ERROR', `The progress in ${name} can't be read or written (${reason}).`)
}

/** Whether the same operation may succeed later: there was no server, or no primary. */
function isPassing(error: unknown): boolean {
  // The driver wraps everything that ends a bulk write, including a lost connection.
  if (error instanceof MongoBulkWriteError && isPassing(error.errorResponse)) return true
  // If the server closes a socket just before a write, the driver passes the socket's error on unwrapped.
  if (!(error instanceof MongoError)) return SOCKET_CODES.has((error as { code?: unknown } | undefined)?.code)
  const isNetwork =
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoNotConnectedError ||
    error instanceof MongoOperationTimeoutError
  return isNetwork || error.hasErrorLabel('RetryableWriteError') || PASSING_CODES.has(error.code)
}

/** Others may have changed what is recorded. @param which record, for people */
export const damagedRecord = (which: string, what: string): InfrastructureError =>
  new InfrastructureError('CORRUPT_DATA', `${which} is damaged: ${what}; restore it, or start again with --overwrite.`)
