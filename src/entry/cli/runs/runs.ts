import { join } from 'node:path'
import { Command } from 'commander'
import { messageOf } from '../../../core/errors.ts'
import { showTime } from '../../local-time.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { listRuns, type RecordedTaskState, type RunState, readRunState } from '../../run-folder/run-state.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson, say, warn } from '../output.ts'
import { overviewsOf, type RunOverview } from './run-overview.ts'

const MAX_VALUE_LENGTH = 40

interface RunsFlags extends CommonOptions {
  readonly runDir?: string
}

/** `bellis runs` */
export function runsCommand(): Command {
  const command = new Command('runs')
    .description('Lists the runs recorded here, the most recently active first.')
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
  return commonOptions(command).addHelpText('after', '\nExample:\n  $ bellis runs').action(showRuns)
}

async function showRuns(flags: RunsFlags): Promise<void> {
  const home = runsHome(flags.runDir)
  const states: RunState[] = []
  for (const name of listRuns(home)) {
    try {
      const state = await readRunState(join(home, name), { limit: 0 })
      if (state !== undefined) states.push(state)
    } catch (error) {
      warn(flags, `${name}: ${messageOf(error)}`)
    }
  }
  const overviews = overviewsOf(states)
  if (flags.json) {
    printJson(states.map((state, i) => ({ ...runDocument(state), ...overviews[i] })))
    return
  }
  if (states.length === 0) say(flags, `No runs are recorded in ${home}.`)
  else for (const line of describeRuns(states, overviews)) say(flags, line)
}

const HEADER = ['RUN', 'ACTIVE', 'CONDITION', 'DONE', 'DATA', 'PARAMETERS'] as const

/** A table, with a line below each run that can be continued. */
function describeRuns(states: readonly RunState[], overviews: readonly RunOverview[]): string[] {
  const rows = states.map((state, i) => cellsOf(state, overviews[i] as RunOverview))
  const widths = HEADER.map((title, column) =>
    Math.max(...[HEADER, ...rows].map((row) => (row[column] ?? title).length)),
  )
  const align = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [
    paint('bold', align(HEADER)),
    ...rows.flatMap((row, i) => {
      const { continueWith } = overviews[i] as RunOverview
      return [align(row), ...(continueWith === undefined ? [] : [`  to continue: ${continueWith}`])]
    }),
  ]
}

function cellsOf({ run, condition, tasks }: RunState, { active, from, to, parameters }: RunOverview): string[] {
  const sum = (of: (task: RecordedTaskState) => number) => tasks.reduce((total, task) => total + of(task), 0)
  const failed = sum((task) => task.failed)
  const done = `${sum((task) => task.completed)}/${sum(({ total }) => total)}${failed > 0 ? `, ${failed} failed` : ''}`
  const data = [from, ...(to === undefined ? [] : ['→', to])].filter((part) => part !== undefined)
  const fields = Object.entries(parameters).map(([name, value]) => `${name}=${shorten(JSON.stringify(value))}`)
  return [run, showTime(active), condition, done, data.join(' '), fields.join(' ')]
}

const shorten = (text: string): string =>
  text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH - 1)}…` : text

/** A run as JSON. */
export const runDocument = (state: RunState) => ({
  run: state.run,
  folder: state.folder,
  condition: state.condition,
  created: state.document.created,
  ...(state.holder === undefined ? {} : { holder: state.holder }),
  tasks: state.tasks.map(({ id, total, completed, failed, left }) => ({ id, total, completed, failed, left })),
})
