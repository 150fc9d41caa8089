import { ConfigError, type ErrorCode } from '../errors.ts'
import { MAX_BLOCKS } from '../scheduling/block-states.ts'
import { mapTexts, markQueries } from '../text/shown-address.ts'
import type { Lineage } from './lineage.ts'

/** One task of a run, as recorded. */
export interface RecordedTask {
  readonly id: string
  readonly blockCount: number
  /** The options of its grid, as canonical JSON. */
  readonly grid: string
  /** Its configuration, as canonical JSON. */
  readonly config: string
}

/** Whether something that was read is a task as a run may record it: others may have changed a record. */
export function isRecordedTask(value: unknown): value is RecordedTask {
  if (!isRecord(value)) return false
  const { id, blockCount, grid, config } = value
  const isCount =
    Number.isSafeInteger(blockCount) && (blockCount as number) >= 0 && (blockCount as number) <= MAX_BLOCKS
  return isCount && [id, grid, config].every((text) => typeof text === 'string')
}

/** Identifies the run of a record. */
export interface RunIdentity {
  /** The name of the run's folder; unique among all runs in a database. */
  readonly run: string
  /**
   * A random text that only this record has; a record that replaces it has another one. The outputs of the run are marked with it.
   * Absent if none was given: records of version 0.1.0 have none.
   */
  readonly id?: string
  /** Which state of the record this is; absent in records that no start has continued since version 0.1.0. */
  readonly lineage?: Lineage
  /** A record refers to a task by its position in this list. */
  readonly tasks: readonly RecordedTask[]
}

/**
 * Checks that a record belongs to the tasks that are about to run.
 * @param where location of the record, for the message
 * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`, naming the difference
 */
export function checkSameTasks(
  recorded: readonly RecordedTask[],
  wanted: readonly RecordedTask[],
  where: string,
): void {
  const refuse = (code: ErrorCode, what: string): never => {
    const hint =
      'Use the recorded values to continue that run, --grow if its volume has grown at its ends, or --overwrite to start again'
    throw new ConfigError(code, `The progress in ${where} belongs to another run: ${what}. ${hint}.`)
  }
  const ids = (tasks: readonly RecordedTask[]) => tasks.map(({ id }) => `"${id}"`).join(', ')
  if (ids(recorded) !== ids(wanted)) {
    refuse('GRID_MISMATCH', `it was recorded for the tasks ${ids(recorded)}, but the tasks are now ${ids(wanted)}`)
  }
  for (const [place, now] of wanted.entries()) {
    const before = recorded[place] as RecordedTask
    const who = `task "${now.id}" was recorded with`
    if (before.grid !== now.grid) refuse('GRID_MISMATCH', `${who} ${difference(before.grid, now.grid, 'grid')}`)
    if (before.blockCount !== now.blockCount) {
      refuse('GRID_MISMATCH', `${who} ${before.blockCount} blocks, but now has ${now.blockCount}`)
    }
    const [config, configNow] = [keptConfig(before.config), keptConfig(now.config)]
    if (config !== configNow) {
      refuse('CONFIG_MISMATCH', `${who} ${difference(config, configNow, 'configuration')}`)
    }
  }
}

/** A configuration, JSON, as it is recorded: without queries of web addresses, which records of version 0.1.0 contain. */
const keptConfig = (config: string): string =>
  config.includes('://') ? JSON.stringify(mapTexts(JSON.parse(config), markQueries)) : config

/** Names the fields in which two JSON texts differ: `sigma 2, but now has sigma 3`. */
function difference(before: string, now: string, what: string): string {
  const [one, other]: unknown[] = [before, now].map((text) => JSON.parse(text))
  if (!isRecord(one) || !isRecord(other)) return `the ${what} ${before}, but now has ${now}`
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  const differing = names.filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
  const list = (value: Record<string, unknown>) =>
    differing.map((name) => (name in value ? `${name} ${JSON.stringify(value[name])}` : `no ${name}`)).join(', ')
  return `${list(one)}, but now has ${list(other)}`
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
