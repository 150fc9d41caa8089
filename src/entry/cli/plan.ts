import { Command } from 'commander'
import { convertCommand } from './convert.ts'
import { downsampleCommand } from './downsample.ts'
import { labelCommand } from './label.ts'
import { smoothCommand } from './smooth.ts'

/** `bellis plan …the same arguments as a run…` */
export function planCommand(): Command {
  const command = new Command('plan')
    .description('Says what a run would do: blocks, levels, chunks, memory. Writes nothing.')
    .addHelpText('after', '\nExample:\n  $ bellis plan smooth out.zarr/volumes/raw out.zarr/volumes/smoothed --sigma 2')
  const always = { dryRun: true }
  for (const below of [convertCommand(always), smoothCommand(always), downsampleCommand(always), labelCommand(always)])
    command.addCommand(below)
  return command
}
