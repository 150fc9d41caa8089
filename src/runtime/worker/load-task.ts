import { BlockError, ConfigError, saidBy } from '../../core/errors.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import {
  isPipelineDefinition,
  isTaskDefinition,
  type PipelineDefinition,
  type TaskDefinition,
} from '../tasks/define-task.ts'
import { messageAndPlace, placeOf, showModule } from '../tasks/error-place.ts'
import { notOurFunction, PARENT_MODULE } from '../tasks/parent-tasks.ts'
import { parseConfig } from '../tasks/task-config.ts'
import type { AnyTask } from '../tasks/task-node.ts'
import type { OpenedArrays } from './setup-arrays.ts'
import { AHEAD, type Ahead, type LoadedTask } from './worker-options.ts'

/**
 * Finds an exported task of a module by its name.
 * @throws BlockError `SETUP_FAILED` if the module can't be loaded; ConfigError `UNKNOWN_TASK` naming the tasks that it exports,
 * `DUPLICATE_TASK_ID`, `UNSUPPORTED`
 */
export async function importTask(module: string, name: string): Promise<TaskDefinition> {
  if (module === PARENT_MODULE) throw notOurFunction(name)
  const exported = await importModule(module)
  const tasks = [...new Set(Object.values(exported).filter(isTaskDefinition))]
  const found = tasks.filter((task) => task.options.name === name)
  if (found.length === 1) return found[0] as TaskDefinition
  if (found.length > 1) {
    throw new ConfigError(
      'DUPLICATE_TASK_ID',
      `${showModule(module)} exports ${found.length} tasks named "${name}"; give each its own name.`,
    )
  }
  const names = tasks.map((task) => `"${task.options.name}"`).join(', ')
  throw new ConfigError(
    'UNKNOWN_TASK',
    `${showModule(module)} exports no task named "${name}", so a worker can't find it; export it${names === '' ? '' : ` (it exports ${names})`}.`,
  )
}

type Definition = TaskDefinition | PipelineDefinition

/**
 * Finds the definition to run in a module: its default export, or the only task or pipeline among its exports.
 * @param name of the export or of the task, if there are several
 * @throws BlockError `SETUP_FAILED` if the module can't be loaded; ConfigError `UNKNOWN_TASK` naming the choices
 */
export async function findDefinition(module: string, name?: string): Promise<Definition> {
  const exported = await importModule(module)
  const found = new Map<Definition, string[]>()
  for (const [key, value] of Object.entries(exported)) {
    if (isTaskDefinition(value) || isPipelineDefinition(value)) found.set(value, [...(found.get(value) ?? []), key])
  }
  const file = showModule(module)
  const wanted = [...found].filter(([{ options }, keys]) =>
    name === undefined ? found.size === 1 || keys.includes('default') : keys.includes(name) || options.name === name,
  )
  if (wanted.length === 1) return (wanted[0] as [Definition, string[]])[0]
  const choices = [...found].map(([{ options }, keys]) => (keys[0] === 'default' ? options.name : keys[0])).join(', ')
  if (found.size === 0)
    throw new ConfigError('UNKNOWN_TASK', `${file} exports no task or pipeline; ${adviceOn(exported)}.`)
  throw new ConfigError(
    'UNKNOWN_TASK',
    name === undefined
      ? `${file} exports several tasks and no default; choose one with --task: ${choices}.`
      : `${file} exports ${wanted.length === 0 ? 'no task' : 'several tasks'} "${name}"; it exports ${choices}.`,
  )
}

function adviceOn(exported: Record<string, unknown>): string {
  const kinds = Object.values(exported).map((value) => (value as { kind?: unknown } | undefined | null)?.kind)
  if (kinds.includes('task')) return 'it exports the result of calling a task; export what defineTask returns instead'
  return 'export what defineTask or definePipeline returns: export default defineTask({ … })'
}

const importing = Symbol.for('bellis.importing')
const marks = globalThis as { [importing]?: string }

/**
 * The module that a worker of this process is loading a task from, if any. If the module itself starts a run, each worker of
 * that run would start it again, without end.
 */
export const moduleBeingImported = (): string | undefined => marks[importing]

async function importModule(module: string): Promise<Record<string, unknown>> {
  using _quiet = withoutTypeWarning()
  try {
    marks[importing] = module
    return (await import(module)) as Record<string, unknown>
  } catch (error) {
    throw new BlockError('SETUP_FAILED', `The module ${showModule(module)} can't be loaded: ${whyNot(error)}`, {
      cause: error,
    })
  } finally {
    delete marks[importing]
  }
}

/** Hides Node's advice to say in package.json that modules are modules: the user may not have written that file, and nothing is wrong. */
function withoutTypeWarning(): Disposable {
  const { process } = globalThis
  const { emitWarning } = process
  const filtered = ((warning: string | Error, ...rest: [{ code?: string }]) => {
    if (rest[0]?.code !== 'MODULE_TYPELESS_PACKAGE_JSON') emitWarning.call(process, warning, ...(rest as [never]))
  }) as typeof emitWarning
  process.emitWarning = filtered
  return {
    [Symbol.dispose]() {
      if (process.emitWarning === filtered) process.emitWarning = emitWarning
    },
  }
}

/** Why a module can't be loaded, with the file and the line. */
function whyNot(error: unknown): string {
  const { code, stack, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  // In the stack of a syntax error, the second line is the offending source line.
  const isDecorator = error instanceof SyntaxError && /^\s*@\w/.test(stack?.split('\n')[1] ?? '')
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' || isDecorator) {
    const syntax = isDecorator
      ? 'a decorator'
      : (/^TypeScript (.*) is not supported/.exec(message ?? '')?.[1] ?? message)
    return `${placeOf(stack) ?? ''} uses syntax that needs a compiler: ${syntax}. Node only removes types; write it in plain JavaScript, or compile the file first`
  }
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION') return `${message}; Bellis runs .ts, .mts, .js and .mjs`
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    return 'it is TypeScript inside node_modules, which Node does not run; the package has to publish JavaScript'
  }
  if (code === 'MODULE_NOT_FOUND' && /^Require stack:/m.test(message ?? '')) {
    return `${message?.split('\n', 1)[0]} by require; use import … from, in a file that ends in .ts, .mts or .mjs`
  }
  return messageAndPlace(saidBy(error), stack)
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
  const { id: taskId, unit, resources = {} } = task
  const context = {
    arrays: arrays.forUnit(unit, task),
    taskId,
    workerId,
    unit,
    resources,
    signal: arrays.signal,
  }
  const process = await options.setup(config, context)
  if (typeof process !== 'function') {
    throw new ConfigError(
      'INVALID_TASK',
      `Task "${task.id}": its setup returned ${typeof process}; expected the function for one block.`,
    )
  }
  const { isDone } = options
  // A block is begun only when its check has said that it is not done.
  if (isDone !== undefined) return { process, isDone: (block) => isDone(block, config) }
  const { [AHEAD]: ahead } = process as { readonly [AHEAD]?: Ahead }
  return ahead === undefined ? { process } : { process, ahead }
}
