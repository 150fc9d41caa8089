import type { Command } from 'commander'
import { type SteerFlags, steer, steeringCommand } from './steer.ts'

/** `bellis stop` */
export const stopCommand = (): Command =>
  steeringCommand('stop', 'Stops a running run, as Ctrl-C in its terminal does: its command continues it later.')
    .option('--now', 'end running blocks at once, as a second bellis stop does')
    .addHelpText(
      'after',
      `
Running blocks may finish, for up to 5 s. Only the user who started the run can stop it.
Exit codes: 0 the run is stopping, 2 it is not running, or belongs to another user.

Example:
  $ bellis stop last`,
    )
    .action((run: string, flags: SteerFlags & { readonly now?: boolean }) =>
      steer(run, { type: 'stop', now: flags.now ?? false }, flags),
    )
