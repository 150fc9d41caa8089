import { ConfigError } from '../../core/errors.ts'
import { type ClosureTask, isPipelineDefinition, isTaskDefinition, type TaskLike } from './define-task.ts'

/**
 * What can be run among what a user's code gave, and what it comes after.
 * @param what this is, for messages: `What pipeline "a" gives`
 * @throws ConfigError `INVALID_TASK`
 */
export function asTasks(values: readonly unknown[], what: string): readonly TaskLike[] {
  const checked = new Set<unknown>()
  const check = (value: unknown, where: string): void => {
    if (checked.has(value)) return
    checked.add(value)
    assertTask(value, where)
    const { id, after = [] } = value
    if (!Array.isArray(after)) {
      throw new ConfigError('INVALID_TASK', `Task "${id}": "after" must be a list of tasks: after: [other].`)
    }
    for (const upstream of after) check(upstream, `What task "${id}" comes after`)
  }
  for (const value of values) check(value, what)
  return values as readonly TaskLike[]
}

function assertTask(value: unknown, what: string): asserts value is TaskLike {
  if (isTaskDefinition(value) || isPipelineDefinition(value)) {
    throw new ConfigError(
      'INVALID_TASK',
      `"${value.options.name ?? 'pipeline'}" is a definition; call it with its configuration to get what can be run.`,
    )
  }
  const task = value as Partial<ClosureTask> & { kind?: unknown }
  const isTask =
    typeof value === 'object' &&
    value !== null &&
    typeof task.id === 'string' &&
    (task.kind === 'task' || typeof task.process === 'function')
  if (isTask) return
  const given =
    value instanceof Promise
      ? 'a promise: wait for it before'
      : value === undefined || value === null
        ? String(value)
        : `a value of type ${typeof value}`
  throw new ConfigError(
    'INVALID_TASK',
    `${what} must be a defined task called with its configuration, or an object with id, Rois and process, but is ${given}.`,
  )
}
