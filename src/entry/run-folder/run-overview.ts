import { continuationOf, withoutOnly } from './continuation.ts'
import { keptOutputs } from './run-place.ts'
import type { RunState } from './run-state.ts'

/** What tells a run from others. */
export interface RunOverview {
  /** ISO time of its last activity. */
  readonly active: string
  /** ISO time at which its last start ended; undefined while it is running, and if it ended unexpectedly. */
  readonly ended?: string
  /** How long its starts took together, as far as they are known, until now or until its end; undefined if none was seen. */
  readonly seconds?: number
  /** The first array that it reads; undefined if none is declared. */
  readonly from?: string
  /** The last array that it writes and keeps; undefined if none is declared. */
  readonly to?: string
  /**
   * Fields of its configuration that differ between runs of the same tasks, except for what these read and write: `sigma`, or
   * `task.sigma` if there are several tasks.
   */
  readonly parameters: Readonly<Record<string, unknown>>
  /** A line for a shell; undefined while it is running, once it is done, and if its command line is not known. */
  readonly continueWith?: string
}

/** Describes runs so that they can be told apart. @returns one overview per run, in the same order */
export function overviewsOf(states: readonly RunState[]): RunOverview[] {
  return states.map((state) => {
    const { document, live } = state
    const from = document.tasks.flatMap(({ reads = [] }) => reads)[0]
    const to = keptOutputs(document.tasks).at(-1)
    const paths: readonly unknown[] = document.tasks.flatMap(({ reads = [], writes = [] }) => [...reads, ...writes])
    const alike = states.filter((other) => kindOf(other) === kindOf(state)).map(configOf)
    const parameters = Object.entries(configOf(state)).filter(
      ([name, value]) =>
        !paths.includes(value) && alike.some((config) => JSON.stringify(config[name]) !== JSON.stringify(value)),
    )
    const mayContinue = state.condition !== 'running' && state.condition !== 'done' && document.command !== undefined
    return {
      active: live?.time ?? document.created,
      ...(live?.ok === undefined || state.condition === 'running' ? {} : { ended: live.time }),
      ...(live === undefined ? {} : { seconds: live.seconds + (live.earlierSeconds ?? 0) }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      parameters: Object.fromEntries(parameters),
      ...(mayContinue
        ? {
            continueWith: continuationOf(
              withoutOnly(document.command ?? [], live?.ok),
              document.directory,
              document.variables,
            ),
          }
        : {}),
    }
  })
}

const kindOf = ({ document }: RunState): string => document.tasks.map(({ id }) => id).join('+')

/** The fields of the configurations of all tasks. */
const configOf = ({ document: { tasks } }: RunState): Record<string, unknown> =>
  Object.fromEntries(
    tasks.flatMap(({ id, config = {} }) =>
      Object.entries(config).map(([field, value]) => [tasks.length === 1 ? field : `${id}.${field}`, value]),
    ),
  )
