import { BlockError, messageOf } from '../../core/errors.ts'
import { messageAndPlace, placeOf } from '../../runtime/tasks/error-place.ts'
import type { LoadedTask } from '../../runtime/worker/worker-options.ts'

/** Watches over a user's code in the program of a worker. */
export interface UserCodeWatch extends Disposable {
  /** Aborted when an error came up that nobody caught: what is in memory then is not to be relied on. */
  readonly signal: AbortSignal
  /** Fails what is under way when an error comes up meanwhile that nobody catches. */
  guard<Result>(work: () => Result | Promise<Result>): Promise<Result>
  /** The worker's own way to end this process (or thread). */
  exit(code: number): never
}

export interface WatchOptions {
  /** Where it says what happened. @default standard error */
  readonly tell?: (text: string) => void
  /** Says nothing of errors, for a caller that does. @default false */
  readonly isQuiet?: boolean
}

/**
 * Starts to watch: promises that nobody awaits, errors thrown by callbacks, calls of `process.exit`. Once per process or
 * thread.
 */
export function watchUserCode({ tell = console.error, isQuiet = false }: WatchOptions = {}): UserCodeWatch {
  const broken = new AbortController()
  const running = new Set<(error: unknown) => void>()
  let isOwnExit = false
  const takeStray = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    const what =
      origin === 'unhandledRejection'
        ? 'a promise that nobody awaited was rejected'
        : 'an error was thrown where nobody could catch it'
    const stack = thrown instanceof Error ? thrown.stack : undefined
    const error = new BlockError('BLOCK_FAILED', `${what}: ${messageAndPlace(messageOf(thrown), stack)}`, {
      cause: thrown,
    })
    if (stack !== undefined) error.stack = stack
    if (!isQuiet) tell(stack ?? error.message)
    broken.abort(error)
    for (const fail of running) fail(error)
  }
  const takeExit = (code: number) => {
    // A call is on this very stack; without one the process has come to its end.
    const { stack = '' } = new Error()
    if (isOwnExit || !stack.includes('at process.exit ')) return
    const place = placeOf(stack)
    tell(`process.exit(${code}) was called${place === undefined ? '' : ` (${place})`}; throw an error instead.`)
    if (code === 0) process.exitCode = 1
  }
  process.on('uncaughtException', takeStray)
  process.on('exit', takeExit)
  return {
    signal: broken.signal,
    async guard(work) {
      const { promise, reject } = Promise.withResolvers<never>()
      running.add(reject)
      try {
        return await Promise.race([promise, work()])
      } finally {
        running.delete(reject)
      }
    },
    exit(code) {
      isOwnExit = true
      process.exit(code)
    },
    [Symbol.dispose]() {
      process.off('uncaughtException', takeStray)
      process.off('exit', takeExit)
    },
  }
}

/** A task whose functions are watched. */
export const watchedTask = ({ process, isDone }: LoadedTask, watch: UserCodeWatch): LoadedTask => ({
  process: (block, context) => watch.guard(() => process(block, context) as Promise<undefined>),
  ...(isDone === undefined ? {} : { isDone: (block) => watch.guard(() => isDone(block)) }),
})
