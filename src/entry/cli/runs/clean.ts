import { Command, InvalidArgumentError } from 'commander'
import { ConfigError } from '../../../core/errors.ts'
import { showTime } from '../../../core/text/local-time.ts'
import { showBytes } from '../../../core/text/numbers.ts'
import { keptBytes, removeLeftovers, removeRun } from '../../run-folder/remove-run.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { overviewsOf } from '../../run-folder/run-overview.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { type RunState, readRunState, readRuns } from '../../run-folder/run-state.ts'
import { confirm } from '../confirm.ts'
import { wrapped } from '../layout.ts'
import { type CommonOptions, commonOptions, RUN_ARGUMENT } from '../options.ts'
import { printJson, say } from '../output.ts'

interface CleanFlags extends CommonOptions {
  readonly runDir?: string
  readonly olderThan?: number
  readonly done?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const DAY_MS = 86_400_000
const UNITS: Readonly<Record<string, number>> = { h: DAY_MS / 24, d: DAY_MS, w: 7 * DAY_MS }
/** Runs that have not been active for this long are old. */
const OLD = '30d'

/** `bellis clean` */
export function cleanCommand(): Command {
  const command = new Command('clean')
    .description('Removes what is kept of old runs: record, history and logs. Their outputs stay.')
    .argument('[run...]', `runs to remove, for each: ${RUN_ARGUMENT} (default: those of the flags)`)
    .option('--older-than <time>', `runs that were not active for this long: 12h, 30d, 8w (default: ${OLD})`, age)
    .option('--done', 'only runs of which every block is done; without --older-than, of any age')
    .option('--dry-run', 'list them and remove nothing')
    .option('--yes', 'do not ask for confirmation')
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis clean --older-than 30d --done --dry-run')
    .action(clean)
}

function age(text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)([hdw])$/.exec(text) ?? []
  if (amount === '') throw new InvalidArgumentError('expected a number of hours, days or weeks: 12h, 30d, 8w.')
  return Number(amount) * (UNITS[unit] as number)
}

async function clean(names: readonly string[], flags: CleanFlags): Promise<void> {
  const home = runsHome(flags.runDir)
  const states = names.length > 0 ? await namedRuns(names, home) : await oldRuns(home, flags)
  const kept = states.map(({ folder }) => keptBytes(folder))
  const described = states.map(({ run, folder, condition }, i) => ({
    ...{ run, folder, condition, active: activeOf(states[i] as RunState), bytes: kept[i] as (typeof kept)[number] },
  }))
  const total = kept.reduce((sum, bytes) => sum + bytes.total, 0)
  for (const { run, condition, active, bytes } of described) {
    const parts = [
      `record ${showBytes(bytes.record)}`,
      `history ${showBytes(bytes.history)}`,
      `logs ${showBytes(bytes.logs)}`,
    ]
    say(flags, wrapped(`${run}  ${condition}  ${showTime(active)}  ${showBytes(bytes.total)} (${parts.join(', ')})`, 2))
  }
  const what = `${states.length} ${states.length === 1 ? 'run' : 'runs'}, ${showBytes(total)}`
  if (!flags.dryRun && states.length > 0) {
    if (!flags.yes) await askFor(what, states)
    for (const { folder, document } of states) await removeRun(folder, document)
  }
  if (!flags.dryRun) removeLeftovers(home)
  if (flags.json) printJson({ removed: flags.dryRun !== true, runs: described })
  if (states.length === 0) say(flags, 'There is nothing to remove.')
  else say(flags, flags.dryRun ? `${what}; nothing was removed.` : `Removed ${what}; the outputs are unchanged.`)
}

async function askFor(what: string, states: readonly RunState[]): Promise<void> {
  const unfinished = states.filter(({ condition }) => condition !== 'done').length
  const warning =
    unfinished === 0
      ? ''
      : `; ${unfinished} of them ${unfinished === 1 ? 'is' : 'are'} not done and would start from nothing`
  await confirm({
    consequence: `What is kept of ${what} will be removed${warning}`,
    flag: '--yes',
    code: 'INVALID_CONFIG',
  })
}

/** @throws ConfigError `RUN_LOCKED` if one of them is running */
async function namedRuns(names: readonly string[], home: string): Promise<RunState[]> {
  const folders = new Set(names.map((name) => findRunFolder(name, home)))
  const states: RunState[] = []
  for (const folder of folders) {
    const state = await readRunState(folder, { limit: 0 })
    if (state === undefined) throw new ConfigError('NO_SUCH_FILE', `${folder} is not the folder of a run.`)
    if (state.condition === 'running')
      throw new ConfigError('RUN_LOCKED', `${state.run} is running; stop it before you remove it.`)
    states.push(state)
  }
  return states
}

async function oldRuns(home: string, { olderThan, done = false }: CleanFlags): Promise<RunState[]> {
  const least = olderThan ?? (done ? 0 : age(OLD))
  return (await readRuns(home)).filter(
    (state) =>
      (done ? state.condition === 'done' : state.condition !== 'running') &&
      Date.now() - Date.parse(activeOf(state)) >= least,
  )
}

const activeOf = (state: RunState): string => overviewsOf([state])[0]?.active ?? state.document.created
