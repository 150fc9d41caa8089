import { join } from 'node:path'
import { Command } from 'commander'
import { messageOf } from '../../../core/errors.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { listRuns, type RunState, readRunState } from '../../run-folder/run-state.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { paint, printJson, say, warn } from '../output.ts'

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
  if (flags.json) {
    printJson(states.map(runDocument))
    return
  }
  if (states.length === 0) say(flags, `No runs are recorded in ${home}.`)
  const width = Math.max(...states.map(({ run }) => run.length))
  for (const state of states) say(flags, `${state.run.padEnd(width)}  ${describeRun(state)}`)
}

const describeRun = (state: RunState): string => {
  const counts = state.tasks.map(
    ({ completed, total, failed }) => `${completed}/${total}${failed > 0 ? paint('red', ` ${failed} failed`) : ''}`,
  )
  return `${state.condition.padEnd(11)}  ${counts.join(', ')}`
}

/** A run as JSON. */
export const runDocument = (state: RunState) => ({
  run: state.run,
  folder: state.folder,
  condition: state.condition,
  created: state.document.created,
  ...(state.holder === undefined ? {} : { holder: state.holder }),
  tasks: state.tasks.map(({ id, total, completed, failed, left }) => ({ id, total, completed, failed, left })),
})
