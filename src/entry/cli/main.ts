import { Socket } from 'node:net'
import { Command, CommanderError } from 'commander'
import { endsWithParent } from '../../adapters/files/process-identity.ts'
import { endWithStuckThreads } from '../../adapters/threads/stuck-threads.ts'
import { ownVersion } from '../run-folder/run-command.ts'
import { COMPLETE } from './completion/shell-scripts.ts'
import { reportError } from './output.ts'
import { strict } from './strict.ts'
import { guardStream } from './terminal.ts'

type LoadCommand = () => Promise<Command>

/**
 * The commands, under the headings of the help and in its order. Each is loaded only if it is called, or if the help lists all of
 * them.
 */
const COMMANDS: Readonly<Record<string, Readonly<Record<string, LoadCommand>>>> = {
  'Try Bellis:': {
    demo: async () => (await import('./tasks/demo.ts')).demoCommand(),
    sample: async () => (await import('./sample.ts')).sampleCommand(),
  },
  'Process data:': {
    convert: async () => (await import('./tasks/convert.ts')).convertCommand(),
    smooth: async () => (await import('./tasks/smooth.ts')).smoothCommand(),
    downsample: async () => (await import('./tasks/downsample.ts')).downsampleCommand(),
    label: async () => (await import('./tasks/label.ts')).labelCommand(),
    map: async () => (await import('./tasks/map.ts')).mapCommand(),
    threshold: async () => (await import('./tasks/threshold.ts')).thresholdCommand(),
    reduce: async () => (await import('./tasks/reduce.ts')).reduceCommand(),
  },
  'Look at data:': {
    info: async () => (await import('./info.ts')).infoCommand(),
    show: async () => (await import('./show.ts')).showCommand(),
  },
  'Run a task of your own:': {
    new: async () => (await import('./new.ts')).newCommand(),
    run: async () => (await import('./tasks/run.ts')).runCommand(),
  },
  'Check first:': {
    plan: async () => (await import('./tasks/plan.ts')).planCommand(),
    doctor: async () => (await import('./doctor/doctor.ts')).doctorCommand(),
  },
  'Work with runs:': {
    worker: async () => (await import('./runs/worker.ts')).workerCommand(),
    runs: async () => (await import('./runs/runs.ts')).runsCommand(),
    dashboard: async () => (await import('./runs/dashboard.ts')).dashboardCommand(),
    status: async () => (await import('./runs/status.ts')).statusCommand(),
    top: async () => (await import('./top/top.ts')).topCommand(),
    logs: async () => (await import('./runs/logs.ts')).logsCommand(),
    stop: async () => (await import('./runs/stop.ts')).stopCommand(),
    scale: async () => (await import('./runs/scale.ts')).scaleCommand(),
    retry: async () => (await import('./runs/retry.ts')).retryCommand(),
    resume: async () => (await import('./runs/resume.ts')).resumeCommand(main),
    reset: async () => (await import('./runs/reset.ts')).resetCommand(),
    clean: async () => (await import('./runs/clean.ts')).cleanCommand(),
  },
  'Set up the shell:': {
    completion: async () => (await import('./completion/completion.ts')).completionCommand(),
  },
}

/** The command line. @param name of the command that is called; without one, or if there is none of this name, all are loaded */
export async function bellisProgram(name = ''): Promise<Command> {
  const program = new Command('bellis')
    .description('Runs a function over every block of a huge n-dimensional volume: in parallel, in order, to the end.')
    .version(ownVersion(), '-V, --version')
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      '\nA dataset is one path: sample.hdf/volumes/raw, out.zarr/volumes/raw.\nExit codes: 0 done, 1 blocks failed, 2 invalid call or input, 130 stopped by Ctrl-C.\n\nExample:\n  $ bellis demo',
    )
  const groups = Object.entries(COMMANDS)
  const called = groups.filter(([, commands]) => Object.hasOwn(commands, name))
  for (const [heading, commands] of called.length > 0 ? called : groups) {
    const loading = called.length > 0 ? [commands[name] as LoadCommand] : Object.values(commands)
    program.commandsGroup(heading)
    for (const command of await Promise.all(loading.map((load) => load()))) program.addCommand(command)
  }
  program.commandsGroup('Get help:').helpCommand('help [command]', 'Shows the help of a command.')
  return strict(program)
}

/** For programs that run commands and pass on Ctrl-C: with BELLIS_ENDS_WITH_INPUT, the end of its input, as when they are killed, ends this one. */
function endWithInput(): void {
  if (process.env.BELLIS_ENDS_WITH_INPUT === undefined) return
  // It is not for the programs that this one starts.
  delete process.env.BELLIS_ENDS_WITH_INPUT
  endsWithParent()
  process.stdin.on('end', () => process.exit(130)).resume()
  if (process.stdin instanceof Socket) process.stdin.unref()
}

const endNow = (): void => process.exit()

/** Runs the command line. Sets the process's exit code and never throws. @param args without the program's name */
export async function main(args: readonly string[]): Promise<void> {
  endWithInput()
  for (const stream of [process.stdout, process.stderr]) guardStream(stream)
  try {
    const [first, ...words] = args
    if (first === COMPLETE) {
      const { printCompletions } = await import('./completion/complete.ts')
      return await printCompletions(await bellisProgram(words.length > 1 ? words[0] : ''), words)
    }
    const program = await bellisProgram(first)
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : 2) : reportError(error, args)
  }
  // All is reported: a signal ends what is left of the process and changes nothing of that, nor the exit code.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, endNow).on(signal, endNow)
  await endWithStuckThreads(Number(process.exitCode ?? 0))
}
