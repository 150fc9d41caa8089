import { Command, InvalidArgumentError, Option } from 'commander'
import { messageOf } from '../../../core/errors.ts'
import type { RunCondition } from '../../../core/events.ts'
import { given } from '../../../core/given.ts'
import { showTime } from '../../../core/text/local-time.ts'
import { showDuration } from '../../../core/text/numbers.ts'
import { showValue } from '../../../core/text/parameters.ts'
import { shorten } from '../../../core/text/shorten.ts'
import { ownCommand } from '../../own-command.ts'
import { findingsOf, type RunFindings } from '../../run-folder/provenance/findings-of-run.ts'
import { showReplaced } from '../../run-folder/provenance/replaced-outputs.ts'
import { overviewsOf, type RunOverview } from '../../run-folder/run-overview.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { type RecordedTaskState, type RunState, readRuns } from '../../run-folder/run-state.ts'
import { withCommand, wrapped } from '../layout.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { printJson, say, warn } from '../output.ts'
import { type Column, table } from '../table.ts'

const MAX_VALUE_LENGTH = 40
/** More are in the JSON document, and in `bellis status`. */
const MAX_PARAMETERS = 4

interface RunsFlags extends CommonOptions {
  readonly runDir?: string
  readonly sort?: keyof typeof ORDERS
  readonly state?: readonly string[]
}

const CONDITIONS: readonly RunCondition[] = ['waiting', 'running', 'done', 'failed', 'stopped', 'interrupted']

const shareDone = ({ tasks }: RunState): number =>
  tasks.reduce((sum, { completed }) => sum + completed, 0) /
  Math.max(
    1,
    tasks.reduce((sum, { total }) => sum + total, 0),
  )

/** How runs can be sorted. They are found with the most recently active first. */
const ORDERS = {
  active: () => 0,
  created: (a: RunState, b: RunState) => (a.document.created < b.document.created ? 1 : -1),
  name: (a: RunState, b: RunState) => (a.run < b.run ? -1 : 1),
  state: (a: RunState, b: RunState) => CONDITIONS.indexOf(a.condition) - CONDITIONS.indexOf(b.condition),
  done: (a: RunState, b: RunState) => shareDone(a) - shareDone(b),
} as const

function conditions(text: string): readonly string[] {
  const wanted = text.split(',').map((word) => word.trim())
  const unknown = wanted.find((word) => !CONDITIONS.some((known) => known === word))
  if (unknown === undefined) return wanted
  throw new InvalidArgumentError(`"${unknown}" is not a condition; expected some of ${CONDITIONS.join(', ')}.`)
}

/** `bellis runs` */
export function runsCommand(): Command {
  const command = new Command('runs')
    .description('Lists the runs recorded here, the most recently active first.')
    .option('--state <list>', `only runs in these conditions: ${CONDITIONS.join(', ')}`, conditions)
    .addOption(new Option('--sort <by>', 'order of the runs').choices(Object.keys(ORDERS)).default('active'))
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis runs --state stopped,interrupted,failed')
    .action(showRuns)
}

async function showRuns(flags: RunsFlags): Promise<void> {
  const home = runsHome(flags.runDir)
  const all = await readRuns(home, (name, error) => warn(flags, `${name}: ${messageOf(error)}`))
  const states = all.filter(({ condition }) => flags.state?.includes(condition) ?? true)
  states.sort(ORDERS[flags.sort ?? 'active'])
  const findings = await Promise.all(states.map(findingsOf))
  const overviews = overviewsOf(states, findings)
  if (flags.json) {
    printJson(states.map((state, i) => ({ ...runDocument(state), ...overviews[i], ...findings[i] })))
    return
  }
  if (states.length === 0)
    say(
      flags,
      flags.state === undefined
        ? `No runs are recorded in ${home}.`
        : `No run in ${home} is ${flags.state.join(' or ')}.`,
    )
  else for (const line of describeRuns(states, overviews, findings)) say(flags, line)
}

const COLUMNS: readonly Column[] = [
  { name: 'RUN' },
  { name: 'ACTIVE', givesWay: 4, isBelow: true },
  { name: 'TOOK', givesWay: 3, isBelow: true },
  { name: 'CONDITION' },
  { name: 'DONE', givesWay: 5, isBelow: true },
  { name: 'DATA', least: 32, givesWay: 2, isBelow: true },
  { name: 'PARAMETERS', givesWay: 1, isBelow: true },
]

/** A table, with a command below each run that can be continued, below those whose code or inputs have changed, and what has replaced outputs. */
function describeRuns(
  states: readonly RunState[],
  overviews: readonly RunOverview[],
  findings: readonly RunFindings[],
): string[] {
  const rows = states.map((state, i) => cellsOf(state, overviews[i] as RunOverview))
  const { header, rows: lines } = table(COLUMNS, rows)
  return [
    ...(header === undefined ? [] : [header]),
    ...lines.flatMap((line, i) => {
      const { continueWith } = overviews[i] as RunOverview
      const { folder } = states[i] as RunState
      const { changedInputs, olderBlocks, replaced } = findings[i] as RunFindings
      const status = ownCommand('status', folder)
      return [
        line,
        ...(replaced.length > 0 ? [wrapped(`  ${showReplaced(replaced)}`, 4)] : []),
        ...(changedInputs.length > 0 ? [withCommand('  inputs have changed since', status)] : []),
        ...(olderBlocks.length > 0 ? [withCommand('  blocks of older code', status)] : []),
        ...(continueWith === undefined ? [] : [withCommand('  to continue', continueWith)]),
      ]
    }),
  ]
}

function cellsOf({ run, condition, tasks }: RunState, overview: RunOverview): string[] {
  const { active, seconds, from, to, parameters } = overview
  const sum = (of: (task: RecordedTaskState) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const failed = sum((task) => task.failed)
  const masked = sum((task) => task.masked ?? 0)
  const outside = masked > 0 ? `, ${masked} masked` : ''
  const done = `${sum((task) => task.completed)}/${sum(({ total }) => total)}${outside}${failed > 0 ? `, ${failed} failed` : ''}`
  const data = [from, ...(to === undefined ? [] : ['→', to])].filter((part) => part !== undefined)
  const fields = Object.entries(parameters).map(
    ([name, value]) => `${name}=${shorten(showValue(value), MAX_VALUE_LENGTH)}`,
  )
  const others = fields.splice(MAX_PARAMETERS).length
  if (others > 0) fields.push(`and ${others} more`)
  const took = seconds === undefined ? '' : showDuration(seconds)
  return [run, showTime(active), took, condition, done, data.join(' '), fields.join(' ')]
}

/** A run as JSON. */
export const runDocument = (state: RunState) => ({
  run: state.run,
  folder: state.folder,
  condition: state.condition,
  created: state.document.created,
  ...(state.holder === undefined ? {} : { holder: state.holder }),
  tasks: state.tasks.map(({ id, total, completed, failed, left, masked, leftOut }) => ({
    ...{ id, total, completed, failed, left },
    ...given({ masked, leftOut }),
  })),
})
