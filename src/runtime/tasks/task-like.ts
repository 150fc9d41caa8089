import { ConfigError } from '../../core/errors.ts'
import { isPipelineDefinition, isTaskDefinition } from './define-task.ts'
import type { ClosureTask, TaskLike } from './task-node.ts'

/**
 * Checks the tasks that a user's code returned, and those that they come after.
 * @param what start of the message: `What pipeline "a" gives`
 * @throws ConfigError `INVALID_TASK` for a value that can't be run
 */
export function asTasks(values: readonly unknown[], what: string): readonly TaskLike[] {
  const checked = new Set<unknown>()
  const check = (value: unknown, where: string): void => {
    if (checked.has(value)) return
    checked.add(value)
    assertTask(value, where)
    const { id, after = [] } = value
    if (!Array.isArray(after)) {
      throw new ConfigError('INVALID_TASK', `Task "${id}": pass "after" as an array of tasks: after: [other].`)
    }
    for (const upstream of after) check(upstream, `An entry of "after" of task "${id}"`)
  }
  for (const value of values) check(value, what)
  return values as readonly TaskLike[]
}

function assertTask(value: unknown, what: string): asserts value is TaskLike {
  if (isTaskDefinition(value) || isPipelineDefinition(value)) {
    throw new ConfigError(
      'INVALID_TASK',
      `"${value.options.name ?? 'pipeline'}" is a definition; call it with its configuration to get a task.`,
    )
  }
  const task = value as Partial<ClosureTask> & { kind?: unknown }
  const isTask =
    typeof value === 'object' &&
    value !== null &&
    typeof task.id === 'string' &&
    (task.kind === 'task' || typeof task.process === 'function')
  if (isTask) return
  throw new ConfigError(
    'INVALID_TASK',
    `${what} is ${showGiven(value)}; expected a defined task called with its configuration, or an object with id, Rois and process.`,
  )
}

function showGiven(value: unknown): string {
  if (value instanceof Promise) return 'a promise, which must be awaited first'
  return value === undefined || value === null ? String(value) : `a value of type ${typeof value}`
}
