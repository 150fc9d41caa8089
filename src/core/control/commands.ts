import { ConfigError } from '../errors.ts'
import { given } from '../given.ts'

/** What a running run can be asked to do from outside of its process. */
export type ControlCommand =
  /** Hand out no more blocks and let the running ones finish; with `now`, end them. */
  | { readonly type: 'stop'; readonly now: boolean }
  /** Have this many workers: start some, or let some leave. With `least`, as many as there is work for, from `least` to `workers`. */
  | { readonly type: 'scale'; readonly workers: number; readonly least?: number }
  /** Attempt failed blocks again, of one task or of all. Workers that may have loaded old code are replaced, unless `keepWorkers`. */
  | { readonly type: 'retry'; readonly taskId?: string; readonly keepWorkers: boolean }
  /**
   * Do blocks again that write in a region (`offset:shape` in nm), or all blocks, of some tasks or of all, and the blocks that depend on
   * them. Workers are replaced as for `retry`.
   */
  | { readonly type: 'reset'; readonly roi?: string; readonly tasks?: readonly string[]; readonly keepWorkers: boolean }

/** More are a mistake: each is a process. */
const MAX_WORKERS = 100_000

/** Checks a command that came from another process. @throws ConfigError `INVALID_CONFIG` */
export function parseCommand(value: unknown): ControlCommand {
  const fields = (typeof value === 'object' && value !== null ? value : {}) as Readonly<Record<string, unknown>>
  switch (fields.type) {
    case 'stop':
      return { type: 'stop', now: fields.now === true }
    case 'scale': {
      const { workers, least } = fields
      if (!isCount(workers, 1)) throw invalid('workers', workers, `a whole number from 1 to ${MAX_WORKERS}`)
      if (least === undefined) return { type: 'scale', workers }
      if (isCount(least, 1) && least <= workers) return { type: 'scale', workers, least }
      throw invalid('least', least, `a whole number from 1 to ${workers}`)
    }
    case 'retry': {
      const { taskId, keepWorkers } = fields
      if (taskId !== undefined && typeof taskId !== 'string') throw invalid('task', taskId, 'the id of a task')
      return { type: 'retry', ...(taskId === undefined ? {} : { taskId }), keepWorkers: keepWorkers === true }
    }
    case 'reset': {
      const { roi, tasks, keepWorkers } = fields
      if (roi !== undefined && typeof roi !== 'string') throw invalid('roi', roi, 'offset:shape in nm')
      if (tasks !== undefined && !isTexts(tasks)) throw invalid('tasks', tasks, 'a list of ids of tasks')
      return { type: 'reset', ...given({ roi, tasks }), keepWorkers: keepWorkers === true }
    }
    default:
      throw invalid('type', fields.type, 'stop, scale, retry or reset')
  }
}

const isCount = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= MAX_WORKERS

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const invalid = (name: string, value: unknown, expected: string): ConfigError =>
  new ConfigError('INVALID_CONFIG', `${name} ${JSON.stringify(value)}: expected ${expected}.`)
