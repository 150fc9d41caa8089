import { hideQueries } from './text/shown-address.ts'

/** The kind of an error, for programs: match on this, never on the message. */
export type ErrorCode =
  // the caller's: a call, a configuration or an input
  | 'RANK_MISMATCH'
  | 'INVALID_COORDINATE'
  | 'INVALID_ROI'
  | 'INVALID_UNIT'
  | 'INVALID_CONFIG'
  | 'NOT_VOXEL_ALIGNED'
  | 'EMPTY_TOTAL_WRITE_ROI'
  | 'WRITE_ROI_OUTSIDE_READ_ROI'
  | 'NO_BLOCKS'
  | 'NO_SUCH_BLOCK'
  | 'TOO_MANY_BLOCKS'
  | 'BLOCK_NOT_HELD'
  | 'DUPLICATE_TASK_ID'
  | 'UNKNOWN_TASK'
  | 'TASK_CYCLE'
  | 'INVALID_TASK'
  | 'CHUNK_CONFLICT'
  | 'OUTPUT_CONFLICT'
  | 'NO_SUCH_FILE'
  | 'NO_SUCH_DATASET'
  | 'NOT_A_DATASET'
  | 'UNKNOWN_FORMAT'
  | 'UNSUPPORTED'
  | 'UNSUPPORTED_CODEC'
  | 'INVALID_METADATA'
  | 'DATASET_EXISTS'
  | 'READ_ONLY'
  | 'DTYPE_MISMATCH'
  | 'SHAPE_MISMATCH'
  | 'OUTSIDE_ARRAY'
  | 'GRID_MISMATCH'
  | 'CONFIG_MISMATCH'
  | 'RUN_LOCKED'
  | 'NOT_RUNNING'
  // the user's function
  | 'BLOCK_FAILED'
  | 'BLOCK_TIMEOUT'
  | 'BLOCK_STALLED'
  | 'OUT_OF_MEMORY'
  | 'BLOCK_CHECK_FAILED'
  | 'SETUP_FAILED'
  // worker, connection, file system or store
  | 'CORRUPT_DATA'
  | 'IO_ERROR'
  | 'DISK_FULL'
  | 'WORKER_DIED'
  | 'TASK_ABANDONED'
  | 'JOB_REFUSED'
  | 'QUEUE_UNAVAILABLE'
  | 'PROTOCOL_ERROR'
  | 'UNAUTHORIZED'
  | 'CONNECTION_LOST'
  | 'INTERRUPTED'
  | 'INTERNAL'

/** Options of every error. */
export interface ErrorOptions {
  readonly cause?: unknown
}

/** Base class of all errors of Bellis: `code` identifies the problem, and the subclass tells who has to act. */
export class BlockwiseError extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(hideQueries(message), options)
    this.code = code
    this.name = new.target.name
  }
}

/** The caller has to act: a call, a configuration or an input is wrong. */
export class ConfigError extends BlockwiseError {}

/** The user's function failed: it threw, timed out, or its check returned false. */
export class BlockError extends BlockwiseError {}

/** A worker, a connection, a file system or a store failed. */
export class InfrastructureError extends BlockwiseError {}

/** Whether a store refused an answer to this user. */
export const isForbidden = (error: unknown): boolean =>
  error instanceof InfrastructureError && error.code === 'UNAUTHORIZED'

/** What a store answers; undefined if it refuses an answer to this user. */
export async function unlessForbidden<T>(answer: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isForbidden(error)) return undefined
    throw error
  }
}

/** An error as it crosses a process boundary: structured clone keeps neither class nor fields. */
export interface WireError {
  readonly code: ErrorCode
  readonly message: string
  readonly stack?: string
}

/** The message of any thrown value. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** What an error says: its class, unless it is a plain `Error` or one of Bellis, and its message. */
export function saidBy(error: unknown): string {
  if (!(error instanceof Error) || error instanceof BlockwiseError) return messageOf(error)
  const { name, message } = error
  if (message === '') return name
  return name === 'Error' || message.startsWith(name) ? message : `${name}: ${message}`
}

/** Any thrown value as a {@link WireError}, without queries of web addresses; a value without a Bellis code gets `code`. */
export function toWireError(error: unknown, code: ErrorCode = 'BLOCK_FAILED'): WireError {
  if (error instanceof Error) {
    const own = error instanceof BlockwiseError ? error.code : code
    const message = hideQueries(saidBy(error))
    return error.stack === undefined ? { code: own, message } : { code: own, message, stack: hideQueries(error.stack) }
  }
  return { code, message: hideQueries(`a value that is not an Error was thrown: ${String(error)}`) }
}
