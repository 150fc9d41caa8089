import type { TaskLike } from './task-node.ts'

/** By identity: the tasks of a pipeline are a plain list, which users can index and map. */
const names = new WeakMap<object, string>()

/** Names a list of tasks after its pipeline. */
export function nameTasks<Tasks extends readonly TaskLike[]>(tasks: Tasks, name: string | undefined): Tasks {
  if (name !== undefined) names.set(tasks, name)
  return tasks
}

/** The name of the pipeline that gave these tasks; undefined if it has none, or if they were listed by hand. */
export const nameOfTasks = (tasks: unknown): string | undefined =>
  typeof tasks === 'object' && tasks !== null ? names.get(tasks) : undefined
