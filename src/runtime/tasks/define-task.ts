import type { z } from 'zod'
import { checkResources } from '../../core/workers/resources.ts'
import {
  assertFunction,
  assertKnownOptions,
  assertName,
  assertSchema,
  checkLimits,
  checkMaxFailures,
} from './option-checks.ts'
import { nameTasks } from './pipeline-name.ts'
import { parseConfig } from './task-config.ts'
import { type AnyTask, definitionBrand, type NodeOptions, type TaskLike, type TaskNode } from './task-node.ts'
import type { ConfigSchema, TaskOptions } from './task-options.ts'
import { type CallSite, callerOf, callUserCode } from './user-calls.ts'

/** A defined task: called with a configuration, it gives one node of a pipeline. */
export interface TaskDefinition<Schema extends ConfigSchema = ConfigSchema> {
  (config: z.input<Schema>, options?: NodeOptions): TaskNode
  readonly [definitionBrand]: 'task'
  readonly options: TaskOptions<Schema>
  /** URL of the module that exports it. */
  readonly module: string
}

/** Options of {@link definePipeline}. */
export interface PipelineOptions<Schema extends ConfigSchema> {
  /** Names the pipeline in reports, and its runs. @default 'pipeline'; its runs are named by their tasks */
  readonly name?: string
  readonly config: Schema
  /** The nodes, in any order. The tasks that they come after are part of the run, whether they are listed or not. */
  tasks(config: z.output<Schema>): TaskLike | readonly (TaskLike | readonly TaskLike[])[]
}

/** A defined pipeline: called with a configuration, it gives its nodes. */
export interface PipelineDefinition<Schema extends ConfigSchema = ConfigSchema> {
  (config: z.input<Schema>): readonly TaskLike[]
  readonly [definitionBrand]: 'pipeline'
  readonly options: PipelineOptions<Schema>
}

// Every existing option: a misspelt one would be ignored silently.
const TASK_OPTIONS = Object.keys({
  name: 1,
  config: 1,
  plan: 1,
  setup: 1,
  isDone: 1,
  requires: 1,
  maxFailures: 1,
  module: 1,
} satisfies Record<keyof TaskOptions<ConfigSchema>, 1>)
const PIPELINE_OPTIONS = Object.keys({ name: 1, config: 1, tasks: 1 } satisfies Record<
  keyof PipelineOptions<ConfigSchema>,
  1
>)

/**
 * Defines a task. Export it: workers import the module that calls this and find the task by its name among the exports, so
 * nothing has to be pickled.
 * @throws ConfigError `INVALID_TASK` naming what is missing and where
 */
export function defineTask<Schema extends ConfigSchema>(options: TaskOptions<Schema>): TaskDefinition<Schema> {
  return taskDefinition(options, callerOf(defineTask))
}

/** @param caller who called the function that defines the task */
export function taskDefinition<Schema extends ConfigSchema>(
  options: TaskOptions<Schema>,
  caller: CallSite,
): TaskDefinition<Schema> {
  assertTaskOptions(options, `defineTask in ${caller.place}`)
  const definition = (
    config: z.input<Schema>,
    { id = options.name, after = [], requires = {}, maxAhead, maxFailures, transient, ...limits }: NodeOptions = {},
  ): TaskNode => ({
    kind: 'task',
    id,
    definition: definition as unknown as AnyTask,
    config: parseConfig(options.config, config, id),
    after,
    requires: checkResources(requires, `Task "${id}": "requires"`),
    ...(maxAhead === undefined ? {} : { maxAhead }),
    ...(maxFailures === undefined ? {} : { maxFailures: checkMaxFailures(maxFailures, `Task "${id}": "maxFailures"`) }),
    ...checkLimits(limits, `Task "${id}"`),
    ...(transient === undefined ? {} : { transient }),
  })
  const module = options.module ?? caller.module
  return Object.assign(definition, { [definitionBrand]: 'task' as const, options, module }) as TaskDefinition<Schema>
}

function assertTaskOptions<Schema extends ConfigSchema>(options: TaskOptions<Schema>, what: string): void {
  assertName(options?.name, what)
  assertKnownOptions(options, TASK_OPTIONS, options.name, what)
  assertSchema(options.config, options.name, what)
  for (const method of ['plan', 'setup'] as const) assertFunction(options[method], method, options.name, what)
  if (options.requires !== undefined) checkResources(options.requires, `${what}: "requires" of "${options.name}"`)
  if (options.maxFailures !== undefined) checkMaxFailures(options.maxFailures, `${what}: "maxFailures"`)
  if (options.isDone !== undefined) assertFunction(options.isDone, 'isDone', options.name, what)
}

/** Defines a pipeline: a configuration and the nodes that it gives. @throws ConfigError `INVALID_TASK` */
export function definePipeline<Schema extends ConfigSchema>(
  options: PipelineOptions<Schema>,
): PipelineDefinition<Schema> {
  const what = `definePipeline in ${callerOf(definePipeline).place}`
  const name = options?.name ?? 'pipeline'
  assertName(name, what)
  assertKnownOptions(options, PIPELINE_OPTIONS, name, what)
  assertSchema(options.config, name, what)
  assertFunction(options.tasks, 'tasks', name, what)
  const definition = (config: z.input<Schema>): readonly TaskLike[] => {
    const parsed = parseConfig(options.config, config, name) as z.output<Schema>
    const nodes = callUserCode(`Pipeline "${name}" can't be built`, () => options.tasks(parsed))
    return nameTasks(Array.isArray(nodes) ? nodes.flat() : [nodes as TaskLike], options.name)
  }
  return Object.assign(definition, { [definitionBrand]: 'pipeline' as const, options }) as PipelineDefinition<Schema>
}

const brandOf = (value: unknown): unknown =>
  typeof value === 'function' ? (value as { [definitionBrand]?: unknown })[definitionBrand] : undefined
export const isTaskDefinition = (value: unknown): value is TaskDefinition => brandOf(value) === 'task'
export const isPipelineDefinition = (value: unknown): value is PipelineDefinition => brandOf(value) === 'pipeline'
