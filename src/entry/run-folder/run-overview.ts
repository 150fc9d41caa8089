import { kebab } from '../../core/text/kebab.ts'
import { isEmptyValue } from '../../core/text/parameters.ts'
import { continuationOf, withoutOnly } from './continuation.ts'
import type { RunFindings } from './provenance/findings-of-run.ts'
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
   * Fields of its configuration that differ between these runs of the same tasks, except for what they read and write: `sigma`, or
   * `task.sigma` if several of its tasks have such a field and differ in it. Those that its command line sets come first.
   */
  readonly parameters: Readonly<Record<string, unknown>>
  /** A line for a shell; undefined while it is running, once it is done or its outputs were replaced, and if its command line is not known. */
  readonly continueWith?: string
}

/**
 * Describes runs so that they can be told apart.
 * @param findings of each run, if they are known: what would continue one of which outputs were replaced is refused
 * @returns one overview per run, in the same order
 */
export function overviewsOf(
  states: readonly RunState[],
  findings: readonly Pick<RunFindings, 'replaced'>[] = [],
): RunOverview[] {
  return states.map((state, i) => {
    const { document, live } = state
    const from = document.tasks.flatMap(({ reads = [] }) => reads)[0]
    const to = keptOutputs(document.tasks).at(-1)
    const alike = states.filter((other) => kindOf(other) === kindOf(state))
    const isReplaced = (findings[i]?.replaced.length ?? 0) > 0
    const isOpen = state.condition !== 'running' && state.condition !== 'done'
    const mayContinue = isOpen && !isReplaced && document.command !== undefined
    return {
      active: live?.time ?? document.created,
      ...(live?.ok === undefined || state.condition === 'running' ? {} : { ended: live.time }),
      ...(live === undefined ? {} : { seconds: live.seconds + (live.earlierSeconds ?? 0) }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      parameters: parametersOf(state, alike),
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

/** What tells a run from others of the same tasks. @param alike these, and the run itself */
function parametersOf(state: RunState, alike: readonly RunState[]): Record<string, unknown> {
  const { tasks, command = [] } = state.document
  const isCommon = (field: string) => alike.every((each) => new Set(valuesOf(each, field)).size <= 1)
  const named = (each: RunState) =>
    new Map(fieldsOf(each).map(({ id, field, value }) => [isCommon(field) ? field : `${id}.${field}`, value]))
  const others = alike.map(named)
  const paths = tasks.flatMap(({ reads = [], writes = [] }) => [...reads, ...writes])
  const found = [...named(state)]
    .map(([name, value]) => ({ name, value, isGiven: isGiven(name.slice(name.lastIndexOf('.') + 1), command) }))
    .filter(({ value, isGiven }) => !isEmptyValue(value) && (isGiven || !isOfPaths(value, paths)))
    .filter(({ name, value }) => others.some((each) => JSON.stringify(each.get(name)) !== JSON.stringify(value)))
  const first = [...found.filter(({ isGiven }) => isGiven), ...found.filter(({ isGiven }) => !isGiven)]
  return Object.fromEntries(first.map(({ name, value }) => [name, value]))
}

/** Fields that name what a task reads and writes: that is shown apart. */
const PLACES = new Set(['input', 'output'])

/** The fields of the configurations of all tasks. */
const fieldsOf = ({ document: { tasks } }: RunState) =>
  tasks.flatMap(({ id, config = {} }) =>
    Object.entries(config)
      .filter(([field]) => !PLACES.has(field))
      .map(([field, value]) => ({ id, field, value })),
  )

/** The values that the tasks of a run have for a field, as texts. */
const valuesOf = (state: RunState, name: string): string[] =>
  fieldsOf(state)
    .filter(({ field }) => field === name)
    .map(({ value }) => JSON.stringify(value))

const isGiven = (field: string, command: readonly string[]): boolean => {
  const flags = [`--${field}`, `--${kebab(field)}`]
  return command.some((word) => flags.some((flag) => word === flag || word.startsWith(`${flag}=`)))
}

/** Whether a value is such a path, or the name at the end of one. */
const isOfPaths = (value: unknown, paths: readonly string[]): boolean =>
  paths.some((path) => path === value || path.endsWith(`/${value}`))
