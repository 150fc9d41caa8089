import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { convertCommand } from './cli/convert.ts'
import { demoCommand } from './cli/demo.ts'
import { downsampleCommand } from './cli/downsample.ts'
import { infoCommand } from './cli/info.ts'
import { labelCommand } from './cli/label.ts'
import { reportError } from './cli/output.ts'
import { planCommand } from './cli/plan.ts'
import { resetCommand } from './cli/reset.ts'
import { runsCommand } from './cli/runs.ts'
import { sampleCommand } from './cli/sample.ts'
import { smoothCommand } from './cli/smooth.ts'
import { statusCommand } from './cli/status.ts'
import { workerCommand } from './cli/worker.ts'

/** The command line. @param args without the program's name. Sets the process's exit code, and never throws. */
export async function main(args: readonly string[]): Promise<void> {
  const program = new Command('bellis')
    .description(
      'Runs a function over every block of a huge n-dimensional volume: in parallel, in the right order, to the end.',
    )
    .version(version(), '-V, --version')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError })
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
    planCommand(),
    workerCommand(),
    runsCommand(),
    statusCommand(),
    resetCommand(),
  ]) {
    program.addCommand(inherit(command))
  }
  try {
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportError(error, args)
  }
}

/** Lets a command, and those below it, throw and report as the program does. */
function inherit(command: Command): Command {
  command.exitOverride().configureOutput({ outputError })
  for (const below of command.commands) inherit(below)
  return command
}

/** Tells what is wrong with a call in one line, a suggestion included. */
function outputError(text: string, write: (text: string) => void): void {
  write(
    `${text
      .trim()
      .replace(/^error: /, 'bellis: ')
      .replaceAll(/\s*\n\s*/g, ' ')}\n`,
  )
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
