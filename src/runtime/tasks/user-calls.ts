import { BlockwiseError, ConfigError, saidBy } from '../../core/errors.ts'
import { messageAndPlace, showModule } from './error-place.ts'

/** Where in a user's module a function was called. */
export interface CallSite {
  /** URL of the file. */
  readonly module: string
  /** File and line, for users. */
  readonly place: string
}

/** The call site of a function that is running. */
export function callerOf(callee: (...args: never[]) => unknown): CallSite {
  const previous = Error.prepareStackTrace
  try {
    Error.prepareStackTrace = (_, sites) => sites
    const holder: { stack?: unknown } = {}
    Error.captureStackTrace(holder, callee)
    const [site] = holder.stack as NodeJS.CallSite[]
    const file = site?.getFileName() ?? ''
    const module = file.startsWith('/') ? `file://${file}` : file
    return { module, place: `${showModule(module)}:${site?.getLineNumber() ?? '?'}` }
  } finally {
    Error.prepareStackTrace = previous
  }
}

/**
 * Calls a function of a user's module; an error that it throws is reported with its place.
 * @param what start of the message: `Task "a" can't be planned`
 * @throws ConfigError `INVALID_TASK`; errors of Bellis are thrown unchanged
 */
export function callUserCode<Result>(what: string, call: () => Result): Result {
  const fail = (error: unknown): never => {
    if (error instanceof BlockwiseError) throw error
    const reason = messageAndPlace(saidBy(error), error instanceof Error ? error.stack : undefined)
    throw new ConfigError('INVALID_TASK', `${what}: ${reason}`, { cause: error })
  }
  try {
    const result = call()
    return result instanceof Promise ? (result.catch(fail) as Result) : result
  } catch (error) {
    return fail(error)
  }
}
