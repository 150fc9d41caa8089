import { BlockError, saidBy } from '../../core/errors.ts'
import { messageAndPlace, placeOf } from '../../runtime/tasks/error-place.ts'
import type { LoadedTask } from '../../runtime/worker/worker-options.ts'

/** Watches a user's code in the program of a worker. */
export interface UserCodeWatch extends Disposable {
  /** Aborted by an uncaught error, since the process's memory can't be relied on afterwards. */
  readonly signal: AbortSignal
  /** Runs the user's code, and fails if an uncaught error occurs elsewhere meanwhile. */
  guard<Result>(work: () => Result | Promise<Result>): Promise<Result>
  /** Ends this process (or thread), on behalf of the worker itself. */
  exit(code: number): never
}

export interface WatchOptions {
  /** Prints a message. @default prints to standard error */
  readonly print?: (text: string) => void
  /** Does not print errors, if the caller does. @default false */
  readonly isQuiet?: boolean
}

/**
 * Starts to watch for unhandled rejections, errors thrown by callbacks, and calls of `process.exit`. Call it
 * once per process or thread.
 */
export function watchUserCode({ print = console.error, isQuiet = false }: WatchOptions = {}): UserCodeWatch {
  const broken = new AbortController()
  const running = new Set<(error: unknown) => void>()
  let isOwnExit = false
  const takeStray = (thrown: unknown, origin: NodeJS.UncaughtExceptionOrigin) => {
    const what = origin === 'unhandledRejection' ? 'an unawaited promise was rejected' : 'an uncaught error was thrown'
    const stack = thrown instanceof Error ? thrown.stack : undefined
    const error = new BlockError('BLOCK_FAILED', `${what}: ${messageAndPlace(saidBy(thrown), stack)}`, {
      cause: thrown,
    })
    if (stack !== undefined) error.stack = stack
    if (!isQuiet) print(stack ?? error.message)
    broken.abort(error)
    for (const fail of running) fail(error)
  }
  const takeExit = (code: number) => {
    // A call of process.exit is on this stack; otherwise the process ends by itself.
    const { stack = '' } = new Error()
    if (isOwnExit || !stack.includes('at process.exit ')) return
    const place = placeOf(stack)
    print(`process.exit(${code}) was called${place === undefined ? '' : ` (${place})`}; throw an error instead.`)
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
export const watchedTask = ({ process, isDone, ahead }: LoadedTask, watch: UserCodeWatch): LoadedTask => ({
  ...(ahead === undefined ? {} : { ahead }),
  process: (block, context) => watch.guard(() => process(block, context) as Promise<undefined>),
  ...(isDone === undefined ? {} : { isDone: (block) => watch.guard(() => isDone(block)) }),
})
