import { z } from 'zod'
import { ConfigError, type WireError } from '../../core/errors.ts'
import type { RunEvent, TaskCounts } from '../../core/events.ts'
import type { WireRois } from '../../core/protocol/messages.ts'
import { STALL_ACTIONS } from '../../core/workers/stall.ts'
import type { RunResult } from '../../runtime/coordinator/run-result.ts'
import { BATCH_KINDS } from '../workers/pools.ts'

// What a program that starts runs from another language says to the engine, and what it is answered: docs/PROTOCOL.md.

const roi = z.object({ offset: z.array(z.int()), shape: z.array(z.int()) })
const resources = z.record(z.string(), z.number())

const taskSpec = z.object({
  id: z.string().min(1),
  after: z.array(z.string()).default([]),
  totalRoi: roi,
  readRoi: roi,
  writeRoi: roi,
  fit: z.enum(['valid', 'shrink', 'overhang']).default('valid'),
  readWriteConflict: z.boolean().default(true),
  /** What its function is given: part of the identity of the run, and of the task message of workers. */
  config: z.record(z.string(), z.unknown()).default({}),
  requires: resources.default({}),
  maxRetries: z.int().min(0).optional(),
  maxFailures: z.number().optional(),
  timeoutMs: z.number().optional(),
  maxAhead: z.object({ blocks: z.int().min(1) }).optional(),
  /** Its workers do no other task. */
  ownWorkers: z.boolean().default(false),
  /** The parent is asked which of its blocks are done, before workers get them. */
  asks: z.boolean().default(false),
  /** Whether something else than the run's record tells which blocks are done. */
  checks: z.boolean().default(false),
  /** Arrays that its blocks write: refused if two blocks share a chunk. */
  writes: z.array(z.string()).default([]),
  /** How its functions turn Rois into voxels of these arrays: world units per voxel, and the position of the first voxel. */
  voxelSize: z.array(z.int().min(1)).optional(),
  offset: z.array(z.int()).optional(),
  /** Blocks that write nothing where this volume is not 0 are not run. */
  mask: z.string().optional(),
  /** Whether a block depends on nothing but what it reads. */
  growable: z.boolean().default(true),
  /** Blocks that are not run, too: a bitmap in base64, as `masked` of a plan. */
  masked: z.base64().optional(),
})

/** One task of a run whose blocks are done by the parent's own workers. */
export type TaskSpec = z.output<typeof taskSpec>

const runRequest = z.object({
  type: z.literal('run'),
  /** Relative paths start here. */
  directory: z.string(),
  /** What starts the parent again, as the words of a command. */
  command: z.array(z.string()).min(1).optional(),
  tasks: z.array(taskSpec).min(1),
  /** `parent`: the parent starts the workers. */
  pool: z.enum(['parent', 'none', ...BATCH_KINDS]),
  workers: z.int().min(1).optional(),
  minWorkers: z.int().min(1).optional(),
  resources: resources.optional(),
  maxRetries: z.int().min(0).optional(),
  maxFailures: z.number().optional(),
  timeoutMs: z.number().optional(),
  /** `null`: no worker has stalled, however long it takes; JSON has no `Infinity`. */
  stallMs: z.number().positive().nullable().optional(),
  onStall: z.enum(STALL_ACTIONS).optional(),
  maxWorkerRestarts: z.int().min(0).optional(),
  progress: z.string().default('none'),
  runDir: z.string().optional(),
  maxHistoryMb: z.number().optional(),
  overwrite: z.boolean().default(false),
  /** Continue a run whose volume has grown. */
  grow: z.boolean().default(false),
  /** The mask of tasks that have none. */
  mask: z.string().optional(),
  host: z.string().optional(),
  slurm: z.string().optional(),
  sge: z.string().optional(),
  pbs: z.string().optional(),
  lsf: z.string().optional(),
  kubernetes: z.string().optional(),
  workerCommand: z.array(z.string()).min(1).optional(),
  dashboard: z.boolean().default(false),
  /** The types of events that the parent wants. */
  events: z.array(z.string()).default([]),
})

/** A run that the parent wants. */
export type RunRequest = z.output<typeof runRequest>

/** A scheduler without workers. */
const scheduleRequest = z.object({ type: z.literal('schedule'), tasks: z.array(taskSpec).min(1) })

const scheduleMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('acquire'), taskId: z.string() }),
  z.object({
    type: z.literal('release'),
    taskId: z.string(),
    block: z.int().min(0),
    outcome: z.enum(['done', 'skipped', 'failed', 'returned']),
  }),
])

/** What the parent says to a scheduler. */
export type ScheduleMessage = z.output<typeof scheduleMessage>

const parentMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('exited'),
    worker: z.string(),
    reason: z.string(),
    lastOutput: z.string().default(''),
  }),
  /** One answer per block that was asked about. */
  z.object({ type: z.literal('checked'), question: z.int(), done: z.array(z.boolean()) }),
  z.object({ type: z.literal('stop'), now: z.boolean().default(false) }),
])

/** What the parent says during a run. */
export type ParentMessage = z.output<typeof parentMessage>

/** What the engine says. */
export type EngineMessage =
  /** Workers can connect. */
  | { readonly type: 'listening'; readonly context: string; readonly folder: string; readonly submit?: string }
  /** The parent is to start a worker with this name, for all tasks or for one. */
  | { readonly type: 'launch'; readonly worker: string; readonly session: string; readonly taskId?: string }
  /** The parent is to end a worker at once. */
  | { readonly type: 'kill'; readonly worker: string }
  | {
      readonly type: 'check'
      readonly question: number
      readonly taskId: string
      readonly blocks: readonly number[]
      readonly rois: readonly WireRois[]
    }
  | { readonly type: 'event'; readonly event: RunEvent }
  /** The address of the run's page. */
  | { readonly type: 'dashboard'; readonly address: string }
  | { readonly type: 'result'; readonly result: RunResult; readonly folder: string | null }
  /** What a scheduler knows after a message to it; the block that was asked for, if one is ready. */
  | {
      readonly type: 'scheduled'
      readonly states: readonly TaskCounts[]
      readonly block: (WireRois & { readonly index: number }) | null
    }
  /** The run could not start, or a scheduler refuses what was asked of it. */
  | { readonly type: 'error'; readonly error: WireError }

/** @throws ConfigError `INVALID_CONFIG` naming the field */
export const parseRunRequest = (value: unknown): RunRequest => parse(runRequest, value)

/** @throws ConfigError `INVALID_CONFIG` naming the field */
export const parseScheduleRequest = (value: unknown): z.output<typeof scheduleRequest> => parse(scheduleRequest, value)

/** @throws ConfigError `INVALID_CONFIG` naming the field */
export const parseScheduleMessage = (value: unknown): ScheduleMessage => parse(scheduleMessage, value)

/** @throws ConfigError `INVALID_CONFIG` naming the field */
export const parseParentMessage = (value: unknown): ParentMessage => parse(parentMessage, value)

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ConfigError('INVALID_CONFIG', `The engine was sent an invalid message: ${z.prettifyError(parsed.error)}`)
}
