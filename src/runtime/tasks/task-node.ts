import type { BlockGridOptions } from '../../core/grid/grid-options.ts'
import type { Resources } from '../../core/workers/resources.ts'
import type { VolumeDescription } from '../volumes/volume-array.ts'
import type { ProcessBlock, TaskBlock, TaskOptions } from './task-options.ts'

/** Marks definitions: a brand instead of `instanceof`, since a module may have been loaded with another copy of this package. */
export const definitionBrand = Symbol.for('bellis.definition')

/** A task definition whose configuration type is not known here. */
export interface AnyTask {
  readonly [definitionBrand]: 'task'
  // biome-ignore lint/suspicious/noExplicitAny: the only place where a definition loses its configuration's type
  readonly options: TaskOptions<any>
  readonly module: string
}

/** A number of blocks, or of bytes. */
export type MaxAhead = { readonly blocks: number } | { readonly bytes: number }

/** A task's place in a pipeline. */
export interface NodeOptions {
  /** @default the task's name */
  readonly id?: string
  /** Tasks whose blocks this task's blocks wait for, if they write what these read. */
  readonly after?: readonly TaskLike[]
  /** What one worker needs for the task; overrides the task and its plan, resource by resource. */
  readonly requires?: Resources
  /**
   * How far the task may be ahead of the tasks after it: how many of its blocks, or bytes of their uncompressed output, may be
   * processing or done while blocks of those tasks still wait for them. @default no limit
   */
  readonly maxAhead?: MaxAhead
  /** As in `RunOptions`, for this task; overrides the task. @default that of the task, or of the run */
  readonly maxFailures?: number
  /** As in `RunOptions`, for this task. @default that of the run */
  readonly maxRetries?: number
  /** As in `RunOptions`, for this task. @default that of the run */
  readonly timeoutMs?: number
  /** A block whose worker ran out of memory is tried again with this many times the memory. @default that of the run */
  readonly memoryRetry?: number
  /**
   * The output is only for the tasks after this one: a chunk is removed when no block needs it any more, and the rest at the end
   * of the run. @default false
   */
  readonly transient?: boolean
}

/** A task with its configuration: one node of a pipeline. */
export interface TaskNode {
  readonly kind: 'task'
  readonly id: string
  readonly definition: AnyTask
  /** As the schema returned it, defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>
  readonly after: readonly TaskLike[]
  readonly requires: Resources
  readonly maxAhead?: MaxAhead
  readonly maxFailures?: number
  readonly maxRetries?: number
  readonly timeoutMs?: number
  readonly memoryRetry?: number
  readonly transient?: boolean
}

/** A task without a module: its closure runs in this process, a few blocks at a time. */
export interface ClosureTask extends BlockGridOptions {
  readonly id: string
  readonly process: ProcessBlock
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
  readonly after?: readonly TaskLike[]
  readonly writes?: readonly VolumeDescription[]
  /** What one block needs while it is processed: `{ cpu: 1, memoryGb: 4 }`. @default { cpu: 1 } */
  readonly requires?: Resources
  /** As in {@link NodeOptions}. @default no limit */
  readonly maxAhead?: MaxAhead
  /** As in {@link NodeOptions}. @default that of the run */
  readonly maxFailures?: number
  /** As in {@link NodeOptions}. @default that of the run */
  readonly maxRetries?: number
  /** As in {@link NodeOptions}. @default that of the run */
  readonly timeoutMs?: number
  /** As in {@link NodeOptions}. @default false */
  readonly transient?: boolean
}

/** A task that can be run: a node of a defined task, or a closure. */
export type TaskLike = TaskNode | ClosureTask

/** What can be run: one task, or several, some of them in lists such as a pipeline returns. */
export type Tasks = TaskLike | readonly (TaskLike | readonly TaskLike[])[]

/** Whether a task was defined by `defineTask`, so that workers can load it; otherwise it is a closure. */
export const isTaskNode = (task: TaskLike): task is TaskNode => 'kind' in task && task.kind === 'task'

/** Whether a task itself checks which blocks are done; the run's record is then not used for it. */
export const hasOwnCheck = (task: TaskLike): boolean =>
  (isTaskNode(task) ? task.definition.options.isDone : task.isDone) !== undefined

/** The tasks and all tasks upstream of them, each once. */
export function withUpstream(tasks: readonly TaskLike[]): TaskLike[] {
  const found = new Set<TaskLike>()
  const visit = (task: TaskLike): void => {
    if (found.has(task)) return
    found.add(task)
    for (const upstream of task.after ?? []) visit(upstream)
  }
  for (const task of tasks) visit(task)
  return [...found]
}
