import type { z } from 'zod'
import { BlockwiseError, ConfigError, messageOf } from '../../core/errors.ts'
import type { WorldUnit } from '../../core/geometry/placement.ts'
import type { Block } from '../../core/grid/block-grid.ts'
import type { BlockGridOptions } from '../../core/grid/grid-options.ts'
import { checkResources, type Resources } from '../../core/workers/resources.ts'
import type { CreateVolumeOptions, VolumeArray, VolumeDescription } from '../volumes/volume-array.ts'
import { messageAndPlace, showModule } from './error-place.ts'

/** A schema that checks a configuration: an object of named fields. */
export type ConfigSchema = z.ZodObject

/** A block as a user's function gets it. */
export interface TaskBlock extends Block {
  readonly taskId: string
}

/** What comes with a block. */
export interface BlockContext {
  /** Aborted when the block's time is up or the run stops at once: give up then. */
  readonly signal: AbortSignal
}

/** Does one block. What it throws fails the try. */
export type ProcessBlock = (block: TaskBlock, context: BlockContext) => void | Promise<void>

/** Says whether a block is done already, or after its try, whether it really is. An error here is shown, never a silent no. */
export type IsDone<Config> = (block: TaskBlock, config: Config) => boolean | Promise<boolean>

/** Opens and plans arrays while a run is prepared. Nothing is written before every task of the run was planned. */
export interface PlanArrays {
  /** @param path any readable dataset, or one that this run will create */
  open(path: string): Promise<VolumeDescription & Pick<VolumeArray, 'read'>>
  /**
   * Plans an output: created before the first block runs. One that exists is used again when it is the same
   * (with `--overwrite` it is replaced).
   * @throws ConfigError `DATASET_EXISTS` when it exists with another shape, dtype, chunks or place
   */
  create(path: string, options: CreateVolumeOptions): Promise<VolumeDescription>
}

/** What `plan` is given. */
export interface PlanContext {
  readonly arrays: PlanArrays
  readonly taskId: string
  /** Says something to the user before the run: context that does not suffice, say. */
  warn(message: string): void
}

/** How a task is cut into blocks. Rois in world units of the arrays that `plan` opened. */
export interface TaskPlan extends BlockGridOptions {
  /** What one worker needs for it, instead of what the task says. */
  readonly requires?: Resources
  /** The arrays that the blocks write: checked so that no two blocks that run together share a chunk. */
  readonly writes?: readonly VolumeDescription[]
}

/** Opens arrays where the blocks are done; they are closed when the worker ends. */
export interface SetupArrays {
  open(path: string, options?: { readonly mode?: 'r' | 'r+' }): Promise<VolumeArray>
}

/** What `setup` is given. */
export interface SetupContext {
  readonly arrays: SetupArrays
  readonly taskId: string
  readonly workerId: string
  /** What the Rois of blocks count. */
  readonly unit: WorldUnit
  /**
   * Of what the task requires, those that are this worker's alone, counted from 0: `{ gpu: [3] }` where it requires
   * `{ gpu: 1 }`. Of what the run counts, that is, and in whole numbers: not of `cpu` and `memoryGb`, and none for workers that
   * come in by themselves or are jobs. The variable `CUDA_VISIBLE_DEVICES` names the same GPUs.
   */
  readonly resources: Readonly<Record<string, readonly number[]>>
  /** Aborted when the worker is over: for what the set-up has started. */
  readonly signal: AbortSignal
}

/** What {@link defineTask} is given. */
export interface TaskOptions<Schema extends ConfigSchema> {
  /** Names the task in reports and in its run's folder, and finds it again in its module. */
  readonly name: string
  /** Its fields become flags, are checked, and are stored with the run. */
  readonly config: Schema
  /** Once, where the run is started: look at the input, plan the output, say how to cut it into blocks. */
  plan(config: z.output<Schema>, context: PlanContext): TaskPlan | Promise<TaskPlan>
  /** Once per worker: open what every block needs, return the function for one block. */
  setup(config: z.output<Schema>, context: SetupContext): ProcessBlock | Promise<ProcessBlock>
  /** Before a block: true skips it. After it: false fails the try. */
  readonly isDone?: IsDone<z.output<Schema>>
  /**
   * What one worker needs for it: `{ cpu: 1, gpu: 1, memoryGb: 4 }`, any names. Never more workers are at its blocks than the
   * run's `resources` suffice for. @default { cpu: 1 }
   */
  readonly requires?: Resources
  /** URL of the module that exports this task. @default the file that calls `defineTask` */
  readonly module?: string
}

/** Where a task stands in a pipeline. */
export interface NodeOptions {
  /** @default the task's name */
  readonly id?: string
  /** Tasks whose blocks this one's blocks wait for, where they meet. */
  readonly after?: readonly TaskLike[]
  /** What one worker needs for it, instead of what the task and its plan say, resource by resource. */
  readonly requires?: Resources
  /**
   * How far it may be ahead of the tasks that come after it: so many of its blocks, or bytes of what they write before it is
   * compressed, may be done or under way that blocks of these still wait for. @default no limit
   */
  readonly maxAhead?: MaxAhead
  /**
   * What it writes is for the tasks that come after it alone: its chunks are removed when all blocks that read them are done,
   * and what is left of them at the end of the run. @default false
   */
  readonly transient?: boolean
}

/** A number of blocks, or of bytes. */
export type MaxAhead = { readonly blocks: number } | { readonly bytes: number }

/** Whether a task says itself which blocks are done: its record does not then. */
export const hasOwnCheck = (source: TaskLike): boolean =>
  ('kind' in source ? source.definition.options.isDone : source.isDone) !== undefined

const brand = Symbol.for('bellis.definition')

/** A task with its configuration: one node of a pipeline. */
export interface TaskNode {
  readonly kind: 'task'
  readonly id: string
  readonly definition: AnyTask
  /** As the schema gave it: defaults filled in. */
  readonly config: Readonly<Record<string, unknown>>
  readonly after: readonly TaskLike[]
  readonly requires: Resources
  readonly maxAhead?: MaxAhead
  readonly transient?: boolean
}

/** A task without a module: its closure runs in this process, a few blocks at a time. */
export interface ClosureTask extends BlockGridOptions {
  readonly id: string
  readonly process: ProcessBlock
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
  readonly after?: readonly TaskLike[]
  readonly writes?: readonly VolumeDescription[]
  /** What one block needs while it is done: `{ cpu: 1, memoryGb: 4 }`. @default { cpu: 1 } */
  readonly requires?: Resources
  /** As of a node. @default no limit */
  readonly maxAhead?: MaxAhead
  /** As of a node. @default false */
  readonly transient?: boolean
}

/** What can be run: a node of a defined task, or a closure. */
export type TaskLike = TaskNode | ClosureTask

/** A defined task: called with a configuration, it gives one node of a pipeline. */
export interface TaskDefinition<Schema extends ConfigSchema = ConfigSchema> {
  (config: z.input<Schema>, options?: NodeOptions): TaskNode
  readonly [brand]: 'task'
  readonly options: TaskOptions<Schema>
  /** URL of the module that exports it. */
  readonly module: string
}

/** A definition whose configuration is not known here. */
export interface AnyTask {
  readonly [brand]: 'task'
  // biome-ignore lint/suspicious/noExplicitAny: the one place where a definition forgets its configuration's type
  readonly options: TaskOptions<any>
  readonly module: string
}

/** What {@link definePipeline} is given. */
export interface PipelineOptions<Schema extends ConfigSchema> {
  /** @default 'pipeline' */
  readonly name?: string
  readonly config: Schema
  /** The nodes, in any order; what they come after is part of the run, listed or not. */
  tasks(config: z.output<Schema>): TaskLike | readonly (TaskLike | readonly TaskLike[])[]
}

/** A defined pipeline: called with a configuration, it gives its nodes. */
export interface PipelineDefinition<Schema extends ConfigSchema = ConfigSchema> {
  (config: z.input<Schema>): readonly TaskLike[]
  readonly [brand]: 'pipeline'
  readonly options: PipelineOptions<Schema>
}

/**
 * Defines a task. Workers import the module that calls this and find the task by its name among the exports, so nothing
 * has to be pickled: export it.
 * @throws ConfigError `INVALID_TASK` naming what is missing and where
 */
export function defineTask<Schema extends ConfigSchema>(options: TaskOptions<Schema>): TaskDefinition<Schema> {
  return taskDefinition(options, callerOf(defineTask))
}

/** @param caller of the function by which the task was defined */
export function taskDefinition<Schema extends ConfigSchema>(
  options: TaskOptions<Schema>,
  caller: Caller,
): TaskDefinition<Schema> {
  const module = options?.module ?? caller.module
  const what = `defineTask in ${caller.place}`
  assertName(options?.name, what)
  assertOptions(options, TASK_OPTIONS, options.name, what)
  assertSchema(options.config, options.name, what)
  for (const method of ['plan', 'setup'] as const) assertFunction(options[method], method, options.name, what)
  if (options.requires !== undefined) checkResources(options.requires, `${what}: "requires" of "${options.name}"`)
  if (options.isDone !== undefined) assertFunction(options.isDone, 'isDone', options.name, what)
  const definition = (
    config: z.input<Schema>,
    { id = options.name, after = [], requires = {}, maxAhead, transient }: NodeOptions = {},
  ): TaskNode => ({
    kind: 'task',
    id,
    definition: definition as unknown as AnyTask,
    config: parseConfig(options.config, config, id),
    after,
    requires: checkResources(requires, `Task "${id}": "requires"`),
    ...(maxAhead === undefined ? {} : { maxAhead }),
    ...(transient === undefined ? {} : { transient }),
  })
  return Object.assign(definition, { [brand]: 'task' as const, options, module }) as TaskDefinition<Schema>
}

/** Defines a pipeline: a configuration and the nodes that it gives. @throws ConfigError `INVALID_TASK` */
export function definePipeline<Schema extends ConfigSchema>(
  options: PipelineOptions<Schema>,
): PipelineDefinition<Schema> {
  const what = `definePipeline in ${callerOf(definePipeline).place}`
  const name = options?.name ?? 'pipeline'
  assertName(name, what)
  assertOptions(options, PIPELINE_OPTIONS, name, what)
  assertSchema(options.config, name, what)
  assertFunction(options.tasks, 'tasks', name, what)
  const definition = (config: z.input<Schema>): readonly TaskLike[] => {
    const parsed = parseConfig(options.config, config, name) as z.output<Schema>
    const nodes = callUserCode(`Pipeline "${name}" can't be built`, () => options.tasks(parsed))
    return Array.isArray(nodes) ? nodes.flat() : [nodes as TaskLike]
  }
  return Object.assign(definition, { [brand]: 'pipeline' as const, options }) as PipelineDefinition<Schema>
}

/** Calls a function of a user's module; what it throws says where. @throws ConfigError `INVALID_TASK` */
export function callUserCode<Result>(what: string, call: () => Result): Result {
  const fail = (error: unknown): never => {
    if (error instanceof BlockwiseError) throw error
    const reason = messageAndPlace(messageOf(error), error instanceof Error ? error.stack : undefined)
    throw new ConfigError('INVALID_TASK', `${what}: ${reason}`, { cause: error })
  }
  try {
    const result = call()
    return result instanceof Promise ? (result.catch(fail) as Result) : result
  } catch (error) {
    return fail(error)
  }
}

// By brand, not by identity: a module may have come with its own copy of this package.
const brandOf = (value: unknown): unknown =>
  typeof value === 'function' ? (value as { [brand]?: unknown })[brand] : undefined
export const isTaskDefinition = (value: unknown): value is TaskDefinition => brandOf(value) === 'task'
export const isPipelineDefinition = (value: unknown): value is PipelineDefinition => brandOf(value) === 'pipeline'

/** How messages name a field. @param below what of it is meant: `[1]`, `.depth`, '' */
export type NameOf = (field: string, below: string) => string

/**
 * A configuration checked by its schema, defaults filled in.
 * @param nameOf how a field is named in messages. @default in quotes
 * @throws ConfigError `INVALID_CONFIG` naming each wrong field
 */
export function parseConfig(
  schema: ConfigSchema,
  config: unknown,
  what: string,
  nameOf: NameOf = (field, below) => `"${field}${below}"`,
): Record<string, unknown> {
  assertKnownFields(schema, config, what, nameOf)
  const result = schema.safeParse(config ?? {})
  if (result.success) return result.data
  const problems = result.error.issues.map((issue) => showIssue(issue, config, nameOf))
  throw new ConfigError('INVALID_CONFIG', `Configuration of "${what}": ${problems.join('; ')}.`, {
    cause: result.error,
  })
}

/** A field that the schema does not know would be dropped without a word: mostly it is a known one, misspelt. */
function assertKnownFields(schema: ConfigSchema, config: unknown, what: string, nameOf: NameOf): void {
  if (schema.def.catchall !== undefined || typeof config !== 'object' || config === null) return
  const unknown = Object.keys(config).filter((name) => !(name in schema.shape))
  if (unknown.length === 0) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `Configuration of "${what}": there is no ${unknown.map((name) => nameOf(name, '')).join(', ')}; the fields are ${Object.keys(schema.shape).join(', ')}.`,
  )
}

type Issue = z.core.$ZodIssue

/** `"sigma[1]" is 0: must be above 0`. */
function showIssue(issue: Issue, config: unknown, nameOf: NameOf): string {
  const { path, message, code } = innermost(issue)
  const [field, ...below] = path
  if (field === undefined) return message
  const keys = below.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  const name = nameOf(String(field), keys.join(''))
  let value = config
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key]
  if (value === undefined) return code === 'custom' ? `${name}: ${message}` : `${name} is missing`
  return `${name} is ${showValue(value)}: ${message}`
}

/** Of a value that fits none of several kinds, what keeps it from the one that it comes closest to. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const [first, ...others] = issue.errors.flatMap(([nested]) => (nested === undefined ? [] : [innermost(nested)]))
  if (first === undefined) return issue
  const all = [first, ...others]
  if (all.every((each) => each.code === 'invalid_value' && each.path.length === 0)) {
    const values = all.flatMap((each) => (each.code === 'invalid_value' ? each.values : []))
    return { ...first, path: issue.path, message: `Invalid option: expected one of ${values.map(showValue).join('|')}` }
  }
  const closest = others.reduce((best, other) => (other.path.length > best.path.length ? other : best), first)
  return { ...closest, path: [...issue.path, ...closest.path] }
}

const showValue = (value: unknown): string =>
  (typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : (JSON.stringify(value) ?? String(value))
  ).slice(0, 100)

/** Every option that there is: one that is misspelt would be passed over without a word. */
const TASK_OPTIONS = Object.keys({
  name: 1,
  config: 1,
  plan: 1,
  setup: 1,
  isDone: 1,
  requires: 1,
  module: 1,
} satisfies Record<keyof TaskOptions<ConfigSchema>, 1>)
const PIPELINE_OPTIONS = Object.keys({ name: 1, config: 1, tasks: 1 } satisfies Record<
  keyof PipelineOptions<ConfigSchema>,
  1
>)

function assertOptions(options: object, known: readonly string[], name: string, what: string): void {
  const unknown = Object.keys(options).filter((option) => !known.includes(option))
  if (unknown.length === 0) return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "${name}" has no "${unknown.join('", "')}"; it takes ${known.join(', ')}.`,
  )
}

function assertName(name: unknown, what: string): asserts name is string {
  if (typeof name === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(name)) return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "name" is ${JSON.stringify(name) ?? 'missing'}; use letters, digits, ".", "_" and "-".`,
  )
}

function assertFunction(value: unknown, option: string, name: string, what: string): void {
  if (typeof value === 'function') return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "${option}" of "${name}" is ${value === undefined ? 'missing' : showValue(value)}; it must be a function.`,
  )
}

function assertSchema(schema: unknown, name: string, what: string): void {
  const fields = typeof schema === 'object' && schema !== null ? schema : {}
  if ('safeParse' in fields && 'shape' in fields && '_zod' in fields) return
  const isOld = 'safeParse' in fields && !('_zod' in fields)
  throw new ConfigError(
    'INVALID_TASK',
    isOld
      ? `${what}: "config" of "${name}" was made by an old Zod; use version 4, or the z of Bellis: import { z } from 'bellis'.`
      : `${what}: "config" of "${name}" is ${schema === undefined ? 'missing' : showKind(schema)}; it must be a Zod object: z.object({ … }).`,
  )
}

/** What a value is, without all that is in it. */
const showKind = (value: unknown): string => {
  const kind = (value as { _zod?: { def?: { type?: unknown } } } | null)?._zod?.def?.type
  if (typeof kind === 'string') return `z.${kind}(…)`
  return typeof value === 'object' && value !== null ? 'a plain object' : showValue(value)
}

/** A call in a user's module. */
interface Caller {
  /** URL of the file. */
  readonly module: string
  /** File and line, for people. */
  readonly place: string
}

/** Who called `callee`. */
export function callerOf(callee: (...args: never[]) => unknown): Caller {
  const previous = Error.prepareStackTrace
  try {
    Error.prepareStackTrace = (_, sites) => sites
    const holder: { stack?: unknown } = {}
    Error.captureStackTrace(holder, callee)
    const [site] = holder.stack as NodeJS.CallSite[]
    const file = site?.getFileName() ?? ''
    const module = file.startsWith('/') ? `file://${file}` : file
    return { module, place: `${showModule(module)}:${site?.getLineNumber() ?? '?'}` }
  } finally {
    Error.prepareStackTrace = previous
  }
}
