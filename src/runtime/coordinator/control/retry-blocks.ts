import type { ControlCommand } from '../../../core/control/commands.ts'
import { ConfigError } from '../../../core/errors.ts'
import type { ControlEvent } from '../../../core/events.ts'
import { isRequested } from '../../../core/workers/worker-state.ts'
import type { RunTally } from '../run-tally.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { RunningTask } from '../workers/pool.ts'
import type { TaskSetups } from '../workers/task-setups.ts'
import type { Crew } from './crew.ts'

export interface RetryParts {
  readonly crew: Crew
  readonly setups: TaskSetups
  readonly tally: RunTally
}

/**
 * Has failed blocks attempted again. Unless `keepWorkers`, started workers that have their task set up are replaced once their running
 * block has ended, since they keep the code that they have imported.
 * @throws ConfigError `UNKNOWN_TASK`
 */
export function retryBlocks(
  run: RunningPipeline,
  { crew, setups, tally }: RetryParts,
  { taskId, keepWorkers }: Extract<ControlCommand, { type: 'retry' }>,
): ControlEvent {
  const chosen = taskId === undefined ? run.tasks : [taskOf(run, taskId)]
  const reopened = run.scheduler.reopening.retry(taskId === undefined ? undefined : chosen[0]?.number)
  const mended = new Set<RunningTask>()
  for (const task of chosen) {
    const { failed = [] } = reopened.find((each) => each.task === task.number) ?? {}
    if (failed.length > 0 || task.error !== undefined) mended.add(task)
    forgetFailures(task)
    if (failed.length > 0) void run.options.progress?.recorder.forget(task.number, new Set(failed))
  }
  if (!keepWorkers) {
    for (const worker of run.workers.values()) {
      const hasOldCode = [...mended].some((task) => setups.isSetUp(worker, task))
      if (isRequested(worker.origin) && hasOldCode) crew.renew(worker)
    }
  }
  for (const pool of run.pools) crew.fill(pool)
  const tasks = reopened.map(({ task, failed, released }) => {
    const { id } = run.tasks[task] as RunningTask
    return { id, failed: failed.length, released }
  })
  const retried: ControlEvent = { type: 'retried', ...(taskId === undefined ? {} : { taskId }), tasks }
  run.events.emit(retried)
  tally.reportProgress()
  return retried
}

/** @throws ConfigError `UNKNOWN_TASK` */
function taskOf({ tasks }: RunningPipeline, taskId: string): RunningTask {
  const task = tasks.find(({ id }) => id === taskId)
  if (task !== undefined) return task
  const known = tasks.map(({ id }) => `"${id}"`).join(', ')
  throw new ConfigError('UNKNOWN_TASK', `There is no task "${taskId}"; the tasks are ${known}.`)
}

/** What has gone wrong with a task does not count any more. */
function forgetFailures(task: RunningTask): void {
  task.failures.length = 0
  task.streak.end()
  task.restartsInARow = task.pool.restartsInARow = 0
  delete task.error
}
