import { basename } from 'node:path'
import { Command } from 'commander'
import { ConfigError } from '../../../core/errors.ts'
import { type Forgotten, resetRun, resetRunning } from '../../run-folder/reset-run.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runHolderOf } from '../../run-folder/run-folder.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { confirm as askToConfirm } from '../confirm.ts'
import { type CommonOptions, commonOptions, RUN_ARGUMENT } from '../options.ts'
import { printJson, say } from '../output.ts'
import { printSteered } from './steer.ts'

interface ResetFlags extends CommonOptions {
  readonly runDir?: string
  readonly db?: string
  readonly failed?: boolean
  readonly roi?: string
  readonly task?: readonly string[]
  readonly yes?: boolean
  readonly keepWorkers?: boolean
}

/** `bellis reset` */
export function resetCommand(): Command {
  const command = new Command('reset')
    .description(
      'Forgets completed blocks of a run, so that its command does them again, or the run itself if it is running. Its outputs are not changed.',
    )
    .argument('<run>', RUN_ARGUMENT)
    .option('--failed', 'forget failed attempts only; completed blocks stay completed')
    .option(
      '--roi <offset:shape>',
      'forget the blocks that write in this region, in nm or voxels, and all blocks that depend on them',
    )
    .option(
      '--task <id>',
      'forget only the blocks of this task, and all blocks that depend on them; may be given several times',
      (id: string, others: readonly string[] = []) => [...others, id],
    )
    .option('--yes', 'do not ask for confirmation')
    .option('--keep-workers', 'of a running run: do not start workers again: they keep the code that they have loaded')
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
    .option(
      '--db <url>',
      'progress database URL, including credentials (default: the URL recorded with the run, with credentials from BELLIS_DB)',
    )
  return commonOptions(command)
    .addHelpText(
      'after',
      `
Blocks that are running in the region are given back by their workers, and done again.

Example:
  $ bellis reset smooth-out-smoothed-1a2b3c4d --roi 0,0,0:1000,400,400`,
    )
    .action(reset)
}

async function reset(run: string, flags: ResetFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(flags.runDir))
  const { failed = false, roi, db, task: tasks } = flags
  if (failed && roi !== undefined)
    throw new ConfigError('INVALID_CONFIG', '--failed and --roi exclude each other; give one of them.')
  const confirm = (forgotten: readonly Forgotten[]) => confirmReset(basename(folder), forgotten)
  const mayAsk = !failed && !flags.yes
  if (runHolderOf(folder) !== undefined) {
    const asking = flags.yes ? {} : { confirm }
    const options = { place: db, failed, roi, tasks, keepWorkers: flags.keepWorkers ?? false, ...asking }
    printSteered(folder, await resetRunning(folder, options), flags)
    return
  }
  const forgotten = await resetRun(folder, { place: db, failed, roi, tasks, ...(mayAsk ? { confirm } : {}) })
  if (flags.json) printJson(forgotten)
  for (const each of forgotten) say(flags, `${each.id}: ${describeForgotten(each)}`)
}

function describeForgotten({ blocks, failedAttempts }: Forgotten): string {
  const counts = [
    [blocks, 'completed'],
    [failedAttempts, 'failed'],
  ] as const
  const parts = counts.filter(([count]) => count > 0)
  if (parts.length === 0) return 'nothing to forget'
  return `forgot ${parts.map(([count, what]) => `${count} ${what} ${count === 1 ? 'block' : 'blocks'}`).join(' and ')}`
}

/** Asks with the number of blocks. @throws ConfigError `INVALID_CONFIG` unless the answer is yes */
async function confirmReset(run: string, forgotten: readonly Forgotten[]): Promise<void> {
  const parts = forgotten
    .filter(({ blocks, failedAttempts }) => blocks + failedAttempts > 0)
    .map(
      ({ id, blocks, failedAttempts }) =>
        `${blocks} completed ${failedAttempts > 0 ? `and ${failedAttempts} failed ` : ''}of ${id}`,
    )
  if (parts.length === 0) return
  await askToConfirm({
    consequence: `The record of ${run} will forget blocks: ${parts.join(', ')}`,
    flag: '--yes',
    code: 'INVALID_CONFIG',
  })
}
