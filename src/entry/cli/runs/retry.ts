import type { Command } from 'commander'
import { given } from '../../../core/given.ts'
import { type SteerFlags, steer, steeringCommand } from './steer.ts'

interface RetryFlags extends SteerFlags {
  readonly task?: string
  readonly keepWorkers?: boolean
}

/** `bellis retry` */
export const retryCommand = (): Command =>
  steeringCommand('retry', 'Has failed blocks of a running run tried again, and those that were orphaned by them done.')
    .option('--task <id>', 'failed blocks of this task only')
    .option('--keep-workers', 'do not start workers again: they keep the code that they have loaded')
    .addHelpText(
      'after',
      `
Workers that have loaded the code of the task finish their running block and are started again, so that mended code is used.
Exit codes: 0 done, also if no block has failed; 2 the run is not running, has no such task, or belongs to another user.

Example:
  $ bellis retry last --task smooth`,
    )
    .action((run: string, { task, keepWorkers = false, ...flags }: RetryFlags) =>
      steer(run, { type: 'retry', ...given({ taskId: task }), keepWorkers }, flags),
    )
