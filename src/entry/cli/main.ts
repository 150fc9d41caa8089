import { Command, CommanderError } from 'commander'
import { ownVersion } from '../run-folder/run-command.ts'
import { doctorCommand } from './doctor/doctor.ts'
import { infoCommand } from './info.ts'
import { newCommand } from './new.ts'
import { reportError, strict } from './output.ts'
import { resetCommand } from './runs/reset.ts'
import { runsCommand } from './runs/runs.ts'
import { statusCommand } from './runs/status.ts'
import { workerCommand } from './runs/worker.ts'
import { sampleCommand } from './sample.ts'
import { showCommand } from './show.ts'
import { convertCommand } from './tasks/convert.ts'
import { demoCommand } from './tasks/demo.ts'
import { downsampleCommand } from './tasks/downsample.ts'
import { labelCommand } from './tasks/label.ts'
import { mapCommand } from './tasks/map.ts'
import { planCommand } from './tasks/plan.ts'
import { reduceCommand } from './tasks/reduce.ts'
import { runCommand } from './tasks/run.ts'
import { smoothCommand } from './tasks/smooth.ts'
import { thresholdCommand } from './tasks/threshold.ts'

/** Runs the command line. Sets the process's exit code and never throws. @param args without the program's name */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('bellis')
    .description('Runs a function over every block of a huge n-dimensional volume: in parallel, in order, to the end.')
    .version(ownVersion(), '-V, --version')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nA dataset is one path: sample.hdf/volumes/raw, out.zarr/volumes/raw.\nExit codes: 0 done, 1 blocks failed, 2 invalid call or input, 130 stopped by Ctrl-C.\n\nExample:\n  $ bellis demo',
    )
  for (const command of [
    demoCommand(),
    sampleCommand(),
    infoCommand(),
    convertCommand(),
    smoothCommand(),
    downsampleCommand(),
    labelCommand(),
    mapCommand(),
    thresholdCommand(),
    reduceCommand(),
    runCommand(),
    planCommand(),
    showCommand(),
    newCommand(),
    workerCommand(),
    runsCommand(),
    statusCommand(),
    resetCommand(),
    doctorCommand(),
  ]) {
    program.addCommand(command)
  }
  strict(program)
  try {
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportError(error, args)
  }
}
