import { Command } from 'commander'
import { findModule } from '../../workers/own-package.ts'
import { convertCommand } from './convert.ts'
import { downsampleCommand } from './downsample.ts'
import { labelCommand } from './label.ts'
import { mapCommand } from './map.ts'
import { reduceCommand } from './reduce.ts'
import { runCommand, runModule } from './run.ts'
import { smoothCommand } from './smooth.ts'
import { thresholdCommand } from './threshold.ts'

/** Commander's own behaviour for a command without an action: it suggests the command that was probably meant. */
interface Suggesting {
  unknownCommand(): never
}

function isModule(name: string): boolean {
  try {
    return findModule(name, process.cwd()) !== ''
  } catch {
    return false
  }
}

/** `bellis plan …the same arguments as a run…` */
export function planCommand(): Command {
  const always = { dryRun: true }
  const command = new Command('plan')
    .description('Prints what a run would do: blocks, levels, chunks, memory. Writes nothing.')
    // A file has its own help, with the fields of its configuration.
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText('after', '\nExample:\n  $ bellis plan smooth out.zarr/volumes/raw out.zarr/volumes/smoothed --sigma 2')
    .action((_flags: object, self: Command) => {
      const [first = '--help'] = self.args
      if (first === '--help' || first === '-h') return self.help()
      // A bare word may be a package; otherwise it is most likely a misspelt command.
      if (/^[\w-]+$/.test(first) && !isModule(first)) return (self as Command & Suggesting).unknownCommand()
      return runModule(self.args, always, 'bellis plan')
    })
  const below = [
    convertCommand,
    smoothCommand,
    downsampleCommand,
    labelCommand,
    mapCommand,
    thresholdCommand,
    reduceCommand,
    runCommand,
  ]
  for (const make of below) command.addCommand(make(always))
  const names = command.commands.map((each) => each.name())
  return command.usage(`${names.join('|')}|FILE.ts [arguments as without plan]`)
}
