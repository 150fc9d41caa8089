import { ConfigError } from '../../core/errors.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { TaskLink } from '../../core/scheduling/task-link.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { VolumeDescription } from '../volumes/volume-array.ts'
import { hasOwnCheck, type MaxAhead, type TaskLike } from './task-node.ts'

/** The parts of a planned task that determine the lifetime of its output. */
interface Planned {
  readonly id: string
  readonly after: readonly string[]
  readonly source: TaskLike
  readonly grid: BlockGrid
  readonly reads: readonly VolumeDescription[]
  readonly writes: readonly VolumeDescription[]
  readonly outputs: readonly { readonly path: string }[]
  readonly isTransient: boolean
  readonly bytesWritten: bigint
}

/**
 * Adds to each task how many blocks it may be ahead of the tasks after it.
 * @throws ConfigError `INVALID_CONFIG` for a `maxAhead` that is invalid, or less than one block of those tasks needs
 */
export function withMaxAhead<Task extends Planned>(tasks: readonly Task[]): (Task & { readonly maxAhead?: number })[] {
  return tasks.map((task) => {
    const { maxAhead } = task.source
    if (maxAhead === undefined) return task
    const readers = tasks.filter(({ after }) => after.includes(task.id))
    return { ...task, maxAhead: blocksAhead(task, maxAhead, readers) }
  })
}

function blocksAhead(task: Planned, maxAhead: MaxAhead, readers: readonly Planned[]): number {
  const { bytes, blocks }: { readonly bytes?: number; readonly blocks?: number } = maxAhead
  const [amount = Number.NaN, unit, perBlock] =
    bytes === undefined ? ([blocks, 'blocks', 1] as const) : ([bytes, 'bytes', Number(task.bytesWritten)] as const)
  const refuse = (problem: string) => {
    const given = Number.isNaN(amount) ? JSON.stringify(maxAhead) : `${amount} ${unit}`
    throw new ConfigError('INVALID_CONFIG', `Task "${task.id}": maxAhead is ${given}${problem}.`)
  }
  if (!(Number.isSafeInteger(amount) && amount > 0)) refuse('; expected { blocks } or { bytes }, a whole number from 1')
  if (readers.length === 0) refuse(', but no task comes after it; remove maxAhead')
  if (perBlock === 0) refuse(', but it writes no array, so its bytes are unknown; use { blocks }')
  const limit = Math.max(1, Math.floor(amount / perBlock))
  for (const reader of readers) {
    const needed = new TaskLink(task.grid, reader.grid, [task.id, reader.id]).largestAwaited()
    if (needed <= limit) continue
    refuse(
      `, but a block of "${reader.id}" needs ${needed} of its blocks at once; set it to at least ${needed * perBlock} ${unit}`,
    )
  }
  return limit
}

/**
 * Refuses transient tasks whose output could be missing for another task or the user.
 * @throws ConfigError `INVALID_TASK`
 */
export function assertTransient(tasks: readonly Planned[], store: ArrayStore): void {
  for (const task of tasks) {
    const problem = task.isTransient ? problemOfTransient(task, tasks, store) : undefined
    if (problem === undefined) continue
    throw new ConfigError('INVALID_TASK', `Task "${task.id}" can't be transient: ${problem}.`)
  }
}

function problemOfTransient(task: Planned, tasks: readonly Planned[], store: ArrayStore): string | undefined {
  const readers = tasks.filter(({ after }) => after.includes(task.id))
  if (task.writes.length === 0) return 'it writes no array'
  if (readers.length === 0) return 'no task comes after it, so its output would be removed unread'
  const checking = readers.find(({ source }) => hasOwnCheck(source))
  if (checking !== undefined) {
    return `"${checking.id}" has an isDone, which could ask for chunks that have been removed`
  }
  const paths = new Set(task.writes.map(({ path }) => store.canonicalPath(path)))
  const isWritten = ({ path }: VolumeDescription): boolean => paths.has(store.canonicalPath(path))
  const outputs = new Set(task.outputs.map(({ path }) => store.canonicalPath(path)))
  const own = task.reads.find((array) => isWritten(array) && !outputs.has(store.canonicalPath(array.path)))
  if (own !== undefined) return `it reads ${own.path}, too, whose earlier content would be removed`
  for (const other of tasks) {
    if (other.id === task.id) continue
    const written = other.writes.find(isWritten)
    if (written !== undefined) return `"${other.id}" writes ${written.path}, too`
    const read = other.reads.find(isWritten)
    if (read === undefined || readers.includes(other)) continue
    return `"${other.id}" reads ${read.path} and does not come after it; let it come after "${task.id}"`
  }
  return undefined
}
