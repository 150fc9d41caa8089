import { ConfigError } from '../../core/errors.ts'
import type { BlockGrid } from '../../core/grid/block-grid.ts'
import { TaskLink } from '../../core/scheduling/task-link.ts'
import type { ArrayStore } from '../../ports/array-store.ts'
import type { VolumeDescription } from '../volumes/volume-array.ts'
import { hasOwnCheck, type TaskLike } from './define-task.ts'

/** A planned task, as far as it matters what becomes of its output. */
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
 * How many blocks each task may be ahead of those that come after it.
 * @throws ConfigError `INVALID_CONFIG` where that is none, or less than one block of these needs
 */
export function withMaxAhead<Task extends Planned>(tasks: readonly Task[]): (Task & { readonly maxAhead?: number })[] {
  return tasks.map((task) => {
    const said = task.source.maxAhead
    if (said === undefined) return task
    const readers = tasks.filter(({ after }) => after.includes(task.id))
    const bytesPerBlock = Number(task.bytesWritten)
    const { bytes, blocks }: { readonly bytes?: number; readonly blocks?: number } = said
    const [amount = Number.NaN, unit, perBlock] =
      bytes === undefined ? ([blocks, 'blocks', 1] as const) : ([bytes, 'bytes', bytesPerBlock] as const)
    const refuse = (problem: string) => {
      const what = Number.isNaN(amount) ? JSON.stringify(said) : `${amount} ${unit}`
      throw new ConfigError('INVALID_CONFIG', `Task "${task.id}": maxAhead is ${what}, but ${problem}.`)
    }
    if (!(Number.isSafeInteger(amount) && amount > 0)) refuse('must be { blocks } or { bytes }, a whole number from 1')
    if (readers.length === 0) refuse('no task comes after it, so that it could not be ahead of any')
    if (perBlock === 0) refuse('it writes no array, so that its bytes are not known; say { blocks }')
    const maxAhead = Math.max(1, Math.floor(amount / perBlock))
    for (const reader of readers) {
      const link = new TaskLink(task.grid, reader.grid, [task.id, reader.id])
      const needed = link.largestAwaited()
      if (needed <= maxAhead) continue
      refuse(
        `a block of "${reader.id}" needs ${needed} of its blocks at once; let it be ${needed * perBlock} ${unit} at least`,
      )
    }
    return { ...task, maxAhead }
  })
}

/**
 * Refuses transient tasks whose output others could miss.
 * @throws ConfigError `INVALID_TASK`
 */
export function assertTransient(tasks: readonly Planned[], store: ArrayStore): void {
  for (const task of tasks) {
    if (!task.isTransient) continue
    const refuse = (problem: string) => {
      throw new ConfigError('INVALID_TASK', `Task "${task.id}" can't be transient: ${problem}.`)
    }
    const readers = tasks.filter(({ after }) => after.includes(task.id))
    if (task.writes.length === 0) refuse('it writes no array')
    if (readers.length === 0) refuse('no task comes after it, so that nobody would have what it makes')
    const checking = readers.find(({ source }) => hasOwnCheck(source))
    if (checking !== undefined) {
      refuse(`"${checking.id}" says itself what is done (isDone), and could ask for what is gone`)
    }
    const paths = new Set(task.writes.map(({ path }) => store.canonicalPath(path)))
    const own = task.reads.find((array) => {
      const path = store.canonicalPath(array.path)
      return paths.has(path) && !task.outputs.some((output) => store.canonicalPath(output.path) === path)
    })
    if (own !== undefined) refuse(`it reads ${own.path}, too, and what was there before would be removed`)
    for (const other of tasks) {
      if (other.id === task.id) continue
      const writes = other.writes.find(({ path }) => paths.has(store.canonicalPath(path)))
      if (writes !== undefined) refuse(`"${other.id}" writes ${writes.path}, too`)
      const reads = other.reads.find(({ path }) => paths.has(store.canonicalPath(path)))
      if (reads === undefined || readers.includes(other)) continue
      refuse(`"${other.id}" reads ${reads.path} and does not come after it; let it come after "${task.id}"`)
    }
  }
}
