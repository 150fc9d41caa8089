import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { convertCommand } from './cli/convert.ts'
import { demoCommand } from './cli/demo.ts'
import { doctorCommand } from './cli/doctor.ts'
import { downsampleCommand } from './cli/downsample.ts'
import { infoCommand } from './cli/info.ts'
import { labelCommand } from './cli/label.ts'
import { mapCommand } from './cli/map.ts'
import { newCommand } from './cli/new.ts'
import { reportError, strict } from './cli/output.ts'
import { planCommand } from './cli/plan.ts'
import { reduceCommand } from './cli/reduce.ts'
import { resetCommand } from './cli/reset.ts'
import { runCommand } from './cli/run.ts'
import { runsCommand } from './cli/runs.ts'
import { sampleCommand } from './cli/sample.ts'
import { showCommand } from './cli/show.ts'
import { smoothCommand } from './cli/smooth.ts'
import { statusCommand } from './cli/status.ts'
import { thresholdCommand } from './cli/threshold.ts'
import { workerCommand } from './cli/worker.ts'

/** The command line. @param args without the program's name. Sets the process's exit code, and never throws. */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('bellis')
    .description(
      'Runs a function over every block of a huge n-dimensional volume: in parallel, in the right order, to the end.',
    )
    .version(version(), '-V, --version')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nA dataset is one path: sample.hdf/volumes/raw, out.zarr/volumes/raw.\nExit codes: 0 done, 1 blocks failed, 2 wrong call or input, 130 interrupted.\n\nExample:\n  $ bellis demo',
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

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
