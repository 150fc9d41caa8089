import type { Command } from 'commander'
import type { WorkerRange } from '../../../core/workers/pool-size.ts'
import { workerRange } from '../option-values.ts'
import { type SteerFlags, steer, steeringCommand } from './steer.ts'

/** `bellis scale` */
export const scaleCommand = (): Command =>
  steeringCommand('scale', 'Changes the number of workers of a running run.')
    .requiredOption(
      '--workers <n>',
      'number of workers from now on, or a range that follows the work, 10..200',
      workerRange,
    )
    .addHelpText(
      'after',
      `
Workers that are too many leave when their running block has ended. Workers that joined with bellis worker do not count.
Exit codes: 0 the run changes its workers, 2 it is not running, starts no workers, or belongs to another user.

Example:
  $ bellis scale last --workers 8`,
    )
    .action((run: string, flags: SteerFlags & { readonly workers: WorkerRange }) => {
      const { least, most } = flags.workers
      return steer(run, { type: 'scale', workers: most, ...(least === most ? {} : { least }) }, flags)
    })
