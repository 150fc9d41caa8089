import { BlockError, ConfigError, messageOf } from '../core/errors.ts'
import type { WireTask } from '../core/protocol/messages.ts'
import { type AnyTask, isTaskDefinition, parseConfig, type TaskDefinition } from './define-task.ts'
import type { OpenedArrays } from './setup-arrays.ts'
import type { LoadedTask } from './worker-loop.ts'

/**
 * Finds the task that a module exports by its name.
 * @throws BlockError `SETUP_FAILED` when the module does not load; ConfigError `UNKNOWN_TASK` naming what it does export
 */
export async function importTask(module: string, name: string): Promise<TaskDefinition> {
  const exported = await importModule(module)
  const tasks = [...new Set(Object.values(exported).filter(isTaskDefinition))]
  const found = tasks.filter((task) => task.options.name === name)
  if (found.length === 1) return found[0] as TaskDefinition
  if (found.length > 1) {
    throw new ConfigError(
      'DUPLICATE_TASK_ID',
      `${module} exports ${found.length} tasks named "${name}"; give each its own name.`,
    )
  }
  const names = tasks.map((task) => `"${task.options.name}"`).join(', ')
  throw new ConfigError(
    'UNKNOWN_TASK',
    `${module} exports no task named "${name}", so a worker can't find it; export it${names === '' ? '' : ` (it exports ${names})`}.`,
  )
}

const importing = Symbol.for('bellis.importing')
const marks = globalThis as { [importing]?: string }

/**
 * The module that a worker of this process is loading a task from, if it is: a run started by it then would start itself
 * again in each of its own workers, and so on.
 */
export const moduleBeingImported = (): string | undefined => marks[importing]

async function importModule(module: string): Promise<Record<string, unknown>> {
  try {
    marks[importing] = module
    return (await import(module)) as Record<string, unknown>
  } catch (error) {
    throw new BlockError('SETUP_FAILED', `The module ${module} does not load: ${messageOf(error)}`, { cause: error })
  } finally {
    delete marks[importing]
  }
}

/** Calls a task's `setup` in this worker. */
export async function setUpTask(
  definition: AnyTask,
  task: WireTask,
  arrays: OpenedArrays,
  workerId: string,
): Promise<LoadedTask> {
  const { options } = definition
  const config = parseConfig(options.config, task.config, task.id)
  const { id: taskId, unit, fsync } = task
  const context = { arrays: arrays.forUnit(unit, fsync), taskId, workerId, unit, signal: arrays.signal }
  const process = await options.setup(config, context)
  if (typeof process !== 'function') {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${task.id}": its setup must return the function for one block, but returned ${typeof process}.`,
    )
  }
  const { isDone } = options
  return isDone === undefined ? { process } : { process, isDone: (block) => isDone(block, config) }
}
