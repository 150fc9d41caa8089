import { basename } from 'node:path'
import { Command } from 'commander'
import { ConfigError } from '../../../core/errors.ts'
import { resetRun } from '../../run-folder/reset-run.ts'
import { findRunFolder } from '../../run-folder/run-context.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { confirm } from '../confirm.ts'
import { type CommonOptions, commonOptions } from '../options.ts'
import { printJson, say } from '../output.ts'

interface ResetFlags extends CommonOptions {
  readonly runDir?: string
  readonly db?: string
  readonly failed?: boolean
  readonly roi?: string
  readonly yes?: boolean
}

/** `bellis reset` */
export function resetCommand(): Command {
  const command = new Command('reset')
    .description('Forgets what a run has done, so that its command does it again. Its outputs stay as they are.')
    .argument('<run>', "the run's folder or its name, as bellis runs lists it")
    .option('--failed', 'forget the failed tries alone; what is done stays done')
    .option('--roi <offset:shape>', 'forget the blocks that write in this region, in nm, and all that comes after them')
    .option('--yes', 'do not ask')
    .option('--run-dir <folder>', "where runs' folders are (default: .bellis)")
    .option(
      '--db <url>',
      'where its progress is kept, with what lets one in (default: where the run says, with what lets one in from BELLIS_DB)',
    )
  return commonOptions(command)
    .addHelpText('after', '\nExample:\n  $ bellis reset smooth-1a2b3c4d --roi 0,0,0:1000,400,400')
    .action(reset)
}

async function reset(run: string, flags: ResetFlags): Promise<void> {
  const folder = findRunFolder(run, runsHome(flags.runDir))
  const { failed = false, roi, db } = flags
  if (failed && roi !== undefined) throw new ConfigError('INVALID_CONFIG', 'Give --failed or --roi, not both.')
  if (!failed && !flags.yes) await confirmReset(basename(folder), roi)
  const forgotten = await resetRun(folder, { place: db, failed, roi })
  if (flags.json) printJson(forgotten)
  for (const { id, blocks, failedTries } of forgotten)
    say(flags, `${id}: ${blocks} done blocks forgotten${failedTries > 0 ? `, and ${failedTries} failed ones` : ''}`)
}

async function confirmReset(run: string, roi: string | undefined): Promise<void> {
  const where = roi === undefined ? '' : ` in ${roi}, and of blocks that depend on them,`
  const consequence = `The record of finished blocks of ${run}${where} will be deleted`
  await confirm({ consequence, flag: '--yes', code: 'INVALID_CONFIG' })
}
