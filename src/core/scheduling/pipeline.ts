import { ConfigError } from '../errors.ts'

/** What the order of tasks depends on. */
export interface OrderedTask {
  readonly id: string
  /** tasks (or their ids) whose blocks this task's blocks wait for, if they write what these read @default none */
  readonly after?: readonly (string | { readonly id: string })[]
}

/** The order of a pipeline's tasks; tasks are numbered in the order given. */
export interface TaskOrder {
  /** for each task the tasks directly before it, each once, ascending */
  readonly upstream: readonly (readonly number[])[]
  /** for each task the tasks directly after it, ascending */
  readonly downstream: readonly (readonly number[])[]
  /** every task after all those before it */
  readonly topological: readonly number[]
  /** whose ready blocks go first: the longest path from a source first, so a task always goes before the tasks upstream of it */
  readonly priority: readonly number[]
  readonly numberOf: ReadonlyMap<string, number>
}

/**
 * Checks and orders the tasks of a pipeline.
 * @throws ConfigError `INVALID_TASK` (no tasks, an empty id, or an `after` that is not an array), `DUPLICATE_TASK_ID`,
 * `UNKNOWN_TASK`, `TASK_CYCLE` (naming the tasks of one cycle in order)
 */
export function orderTasks(tasks: readonly OrderedTask[]): TaskOrder {
  if (!Array.isArray(tasks as unknown))
    throw new ConfigError('INVALID_TASK', 'Pass the tasks as an array, even if there is only one.')
  const numberOf = new Map<string, number>()
  for (const [number, task] of tasks.entries()) {
    const { id, after = [] } = task ?? {}
    if (typeof id !== 'string' || id === '') {
      throw new ConfigError(
        'INVALID_TASK',
        `Task ${number} has the id ${JSON.stringify(id)}; expected a string that is not empty.`,
      )
    }
    const other = numberOf.get(id)
    if (other !== undefined) {
      throw new ConfigError(
        'DUPLICATE_TASK_ID',
        `Tasks ${other} and ${number} both have the id "${id}"; give one of them another id.`,
      )
    }
    if (!Array.isArray(after as unknown)) {
      throw new ConfigError(
        'INVALID_TASK',
        `Task "${id}": pass "after" as an array of tasks or ids, even if there is only one.`,
      )
    }
    numberOf.set(id, number)
  }
  if (tasks.length === 0) throw new ConfigError('INVALID_TASK', 'A pipeline needs at least one task; none was given.')
  const upstream = tasks.map((task) => {
    const numbers = (task.after ?? []).map((before) => {
      const id = typeof before === 'string' ? before : before?.id
      const number = numberOf.get(id)
      if (number !== undefined) return number
      const known = tasks.map((each) => `"${each.id}"`).join(', ')
      throw new ConfigError('UNKNOWN_TASK', `Task "${task.id}" comes after "${id}", but the tasks are ${known}.`)
    })
    return [...new Set(numbers)].sort((a, b) => a - b)
  })
  const downstream = tasks.map((_, number) =>
    upstream.flatMap((before, other) => (before.includes(number) ? [other] : [])),
  )
  const topological = sortTasks(tasks, upstream, downstream)
  const depth = new Array<number>(tasks.length).fill(0)
  for (const number of topological) {
    for (const after of downstream[number]!) depth[after] = Math.max(depth[after]!, depth[number]! + 1)
  }
  const priority = tasks.map((_, number) => number).sort((a, b) => depth[b]! - depth[a]! || a - b)
  return { upstream, downstream, topological, priority, numberOf }
}

function sortTasks(
  tasks: readonly OrderedTask[],
  upstream: readonly (readonly number[])[],
  downstream: readonly (readonly number[])[],
): number[] {
  const missing = upstream.map((before) => before.length)
  const sorted = missing.flatMap((count, number) => (count === 0 ? [number] : []))
  for (const number of sorted) {
    for (const after of downstream[number]!) {
      missing[after] = missing[after]! - 1
      if (missing[after] === 0) sorted.push(after)
    }
  }
  if (sorted.length === tasks.length) return sorted
  // Every remaining task comes after another remaining one: going back from any of them must end in a cycle.
  const path: number[] = []
  let at = missing.findIndex((count) => count > 0)
  while (!path.includes(at)) {
    path.push(at)
    at = upstream[at]!.find((before) => missing[before]! > 0)!
  }
  const cycle = [at, ...path.slice(path.indexOf(at) + 1).reverse(), at]
  const names = cycle.map((number) => `"${tasks[number]!.id}"`).join(' → ')
  throw new ConfigError('TASK_CYCLE', `The tasks ${names} form a cycle; remove one of their "after" entries.`)
}
