import { parseCommand } from '../core/control/commands.ts'
import { ConfigError } from '../core/errors.ts'
import type { RunEvent } from '../core/events.ts'
import { originOf } from '../core/resource-stack.ts'
import { EventStream } from '../runtime/coordinator/event-stream.ts'
import type { RunResult } from '../runtime/coordinator/run-result.ts'
import type { PlannedPipeline } from '../runtime/tasks/planned-task.ts'
import type { Tasks } from '../runtime/tasks/task-node.ts'
import { moduleBeingImported } from '../runtime/worker/load-task.ts'
import { CommandRelay } from './command-relay.ts'
import type { RunOptions } from './run-options.ts'

/** A run that was started. */
export interface Run extends AsyncDisposable {
  /** Every event from the next turn to the end of the run. A slow reader may miss block events, but never failures. */
  readonly events: AsyncIterable<RunEvent>
  /** How it ended. Rejects with a ConfigError if it could not start; nothing was written then. */
  readonly result: Promise<RunResult>
  /**
   * Stops handing out blocks and resolves when the running ones have ended.
   * @param options `now`: ends the running blocks, too. @default false
   */
  stop(options?: { readonly now?: boolean }): Promise<RunResult>
  /**
   * Starts workers, or lets some leave once their running block has ended, until there are this many. Workers that joined do not count.
   * @throws ConfigError `UNSUPPORTED` for the pool `none`; `NOT_RUNNING`; `INVALID_CONFIG`
   */
  scale(workers: number): Promise<void>
  /**
   * Has failed blocks tried again, and those that were orphaned by them done. Started workers that have loaded the code of their task are
   * replaced once their running block has ended, so that mended code is used, unless `keepWorkers`.
   * @param options `task`: its id; default all tasks
   * @returns how many failed blocks will be tried again
   * @throws ConfigError `UNKNOWN_TASK`, `NOT_RUNNING`
   */
  retry(options?: { readonly task?: string; readonly keepWorkers?: boolean }): Promise<number>
}

/**
 * Runs one task or several to their end.
 * @param tasks nodes of defined tasks, closures, or what a pipeline returns; tasks named in their `after` are run, too
 * @returns how every task ended; a failed block is part of the result, not thrown
 * @throws ConfigError if the run can't start; nothing was written then
 */
export function runBlockwise(tasks: Tasks, options: RunOptions = {}): Promise<RunResult> {
  return startRun(tasks, options).result
}

/** Starts a run. @see runBlockwise */
export function startRun(tasks: Tasks, options: RunOptions = {}): Run {
  assertNotImported()
  const events = new EventStream()
  const stopping = new AbortController()
  const commands = new CommandRelay()
  let thrown: { readonly error: unknown } | undefined
  const { onEvent } = options
  if (onEvent !== undefined) {
    events.listen((event) => {
      try {
        onEvent(event)
      } catch (error) {
        thrown ??= { error }
        stopping.abort()
      }
    })
  }
  const signal = options.signal === undefined ? stopping.signal : AbortSignal.any([options.signal, stopping.signal])
  const run = async (): Promise<RunResult> => {
    try {
      const { execute, planRun } = await loadExecution()
      const ended = await execute(await planRun(tasks, options), { ...options, signal }, events, commands)
      if (thrown !== undefined) throw thrown.error
      return ended
    } catch (error) {
      throw originOf(error)
    } finally {
      commands.close()
      events.close()
    }
  }
  const result = run()
  const stop = ({ now = false } = {}) => {
    stopping.abort()
    // If it has ended meanwhile, the result says so.
    if (now) commands.carryOut({ type: 'stop', now }).catch(() => {})
    return result
  }
  result.catch(() => {})
  return {
    events,
    result,
    stop,
    async scale(workers) {
      await commands.carryOut(parseCommand({ type: 'scale', workers }))
    },
    async retry({ task: taskId, keepWorkers = false } = {}) {
      const retried = await commands.carryOut(parseCommand({ type: 'retry', taskId, keepWorkers }))
      return retried.type === 'retried' ? retried.tasks.reduce((sum, { failed }) => sum + failed, 0) : 0
    },
    async [Symbol.asyncDispose]() {
      await stop().catch(() => {})
    },
  }
}

/** A run that is started by the import of its tasks would start itself again in each of its workers, and so on. */
function assertNotImported(): void {
  const module = moduleBeingImported()
  if (module === undefined) return
  throw new ConfigError(
    'INVALID_TASK',
    `${module} starts a run when it is imported. Workers and "bellis run" import it to find a task, so keep the tasks and the script that runs them in two files.`,
  )
}

/**
 * Plans a run without writing anything.
 * @throws ConfigError as `runBlockwise`
 */
export async function planTasks(
  tasks: Tasks,
  options: Pick<RunOptions, 'overwrite' | 'grow' | 'workers' | 'pool' | 'taskPools' | 'resources'> = {},
): Promise<PlannedPipeline> {
  const { planRun } = await loadExecution()
  return planRun(tasks, options)
}

/** What carries out a run is loaded when there is one: workers and commands load this library, too. */
const loadExecution = () => import('./execute-run.ts')
