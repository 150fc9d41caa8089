import { ConfigError, type ErrorCode } from '../errors.ts'

/** One task of a run, as its record knows it. */
export interface RecordedTask {
  readonly id: string
  readonly blockCount: number
  /** The options of its grid, as canonical JSON. */
  readonly grid: string
  /** Its configuration, as canonical JSON. */
  readonly config: string
}

/** Which run a record is of. */
export interface RunIdentity {
  /** The name of the run's folder; in a database of many runs it must be no other run's. */
  readonly run: string
  /** Where a record says `task`, it is the place of a task in this list. */
  readonly tasks: readonly RecordedTask[]
}

/**
 * Makes sure that a record is of the tasks that are to be run.
 * @param where the record is, for the message
 * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`, naming what differs
 */
export function checkSameTasks(
  recorded: readonly RecordedTask[],
  wanted: readonly RecordedTask[],
  where: string,
): void {
  const refuse = (code: ErrorCode, what: string): never => {
    const hint = 'Give what was recorded to continue it, or --overwrite to start again'
    throw new ConfigError(code, `The progress in ${where} is that of another run: ${what}. ${hint}.`)
  }
  const ids = (tasks: readonly RecordedTask[]) => tasks.map(({ id }) => `"${id}"`).join(', ')
  if (ids(recorded) !== ids(wanted)) {
    refuse('GRID_MISMATCH', `it was recorded for the tasks ${ids(recorded)}, and now they are ${ids(wanted)}`)
  }
  for (const [place, now] of wanted.entries()) {
    const before = recorded[place] as RecordedTask
    const who = `task "${now.id}" was recorded with`
    if (before.grid !== now.grid) refuse('GRID_MISMATCH', `${who} ${difference(before.grid, now.grid, 'grid')}`)
    if (before.blockCount !== now.blockCount) {
      refuse('GRID_MISMATCH', `${who} ${before.blockCount} blocks, and now has ${now.blockCount}`)
    }
    if (before.config !== now.config) {
      refuse('CONFIG_MISMATCH', `${who} ${difference(before.config, now.config, 'configuration')}`)
    }
  }
}

/** Says which fields of two JSON texts differ: `sigma 2, and now has 3`. */
function difference(before: string, now: string, what: string): string {
  const [one, other]: unknown[] = [before, now].map((text) => JSON.parse(text))
  if (!isRecord(one) || !isRecord(other)) return `the ${what} ${before}, and now has ${now}`
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])]
  const differing = names.filter((name) => JSON.stringify(one[name]) !== JSON.stringify(other[name]))
  const list = (value: Record<string, unknown>) =>
    differing.map((name) => (name in value ? `${name} ${JSON.stringify(value[name])}` : `no ${name}`)).join(', ')
  return `${list(one)}, and now has ${list(other)}`
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
