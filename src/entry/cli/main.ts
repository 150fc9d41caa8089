import { Command, CommanderError } from 'commander'
import { ownVersion } from '../run-folder/run-command.ts'
import { reportError, strict } from './output.ts'

/** The commands, in the order of the help. Each is loaded only if it is called, or if the help lists all of them. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  demo: async () => (await import('./tasks/demo.ts')).demoCommand(),
  sample: async () => (await import('./sample.ts')).sampleCommand(),
  info: async () => (await import('./info.ts')).infoCommand(),
  convert: async () => (await import('./tasks/convert.ts')).convertCommand(),
  smooth: async () => (await import('./tasks/smooth.ts')).smoothCommand(),
  downsample: async () => (await import('./tasks/downsample.ts')).downsampleCommand(),
  label: async () => (await import('./tasks/label.ts')).labelCommand(),
  map: async () => (await import('./tasks/map.ts')).mapCommand(),
  threshold: async () => (await import('./tasks/threshold.ts')).thresholdCommand(),
  reduce: async () => (await import('./tasks/reduce.ts')).reduceCommand(),
  run: async () => (await import('./tasks/run.ts')).runCommand(),
  plan: async () => (await import('./tasks/plan.ts')).planCommand(),
  show: async () => (await import('./show.ts')).showCommand(),
  new: async () => (await import('./new.ts')).newCommand(),
  worker: async () => (await import('./runs/worker.ts')).workerCommand(),
  runs: async () => (await import('./runs/runs.ts')).runsCommand(),
  status: async () => (await import('./runs/status.ts')).statusCommand(),
  reset: async () => (await import('./runs/reset.ts')).resetCommand(),
  doctor: async () => (await import('./doctor/doctor.ts')).doctorCommand(),
}

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
  const [name = ''] = args
  const called = Object.hasOwn(COMMANDS, name) ? [COMMANDS[name]!] : Object.values(COMMANDS)
  try {
    for (const command of await Promise.all(called.map((load) => load()))) program.addCommand(command)
    strict(program)
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportError(error, args)
  }
}
