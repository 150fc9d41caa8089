import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, resolve } from 'node:path'
import { Command } from 'commander'
import { ConfigError, messageOf } from '../../../core/errors.ts'
import { OWN_PROGRAM, ownCommand } from '../../own-command.ts'
import {
  continuationOf,
  enterFolder,
  missingVariables,
  repeatedWords,
  withoutOnly,
} from '../../run-folder/continuation.ts'
import { assertOwnRun, findRunFolder } from '../../run-folder/run-context.ts'
import { readLiveState } from '../../run-folder/run-files.ts'
import { readRunDocument } from '../../run-folder/run-folder.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { RUN_ARGUMENT } from '../options.ts'

/** `bellis resume` @param main runs a command line of Bellis in this process */
export function resumeCommand(main: (args: readonly string[]) => Promise<void>): Command {
  return new Command('resume')
    .description('Continues a run: runs its command again, in the folder where it was started.')
    .usage('<run> [-- flags...]')
    .argument('<run>', RUN_ARGUMENT)
    .argument('[flags...]', 'after --, flags to add to the command, such as --workers 8')
    .option('--run-dir <folder>', 'folder that contains the runs (default: .bellis)')
    .option('--trust-owner', 'resume a run of another user, whose command then runs with your rights')
    .addHelpText(
      'after',
      '\nExample:\n  $ bellis resume smooth-out-smoothed-1a2b3c4d\n  $ bellis resume last -- --workers 8',
    )
    .action(
      (run: string, added: readonly string[], flags: { readonly runDir?: string; readonly trustOwner?: boolean }) => {
        const folder = findRunFolder(run, runsHome(flags.runDir))
        if (flags.trustOwner !== true) assertOwnRun(folder, { reason: 'its command runs', action: 'resume' })
        return resume(folder, added, main)
      },
    )
}

async function resume(
  folder: string,
  added: readonly string[],
  main: (args: readonly string[]) => Promise<void>,
): Promise<void> {
  const { program, words, directory, variables } = commandOf(folder, added)
  // The command finds its run in the same place even if BELLIS_HOME named it then.
  if (!words.some((word) => word.startsWith('--run-dir'))) process.env.BELLIS_HOME = dirname(resolve(folder))
  enterFolder(
    directory,
    (error) =>
      `The run was started in ${directory}, which can't be entered: ${messageOf(error)}; mount it at the same path.`,
  )
  process.stderr.write(`${continuationOf([program, ...words, ...added], process.cwd(), variables)}\n`)
  if (program !== 'bellis') return runProgram(program === 'node' ? process.execPath : program, [...words, ...added])
  process.argv.splice(1, process.argv.length, OWN_PROGRAM, ...words, ...added)
  await main([...words, ...added])
}

/** The recorded command. @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG` if it can't be run again */
function commandOf(folder: string, added: readonly string[]) {
  const document = readRunDocument(folder)
  if (document === undefined) throw new ConfigError('NO_SUCH_FILE', `${folder} is not the folder of a run.`)
  const { command, directory } = document
  if (command === undefined) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `${folder} has no command: it was started in a notebook, by a program that did not name its own, or by an earlier version of Bellis. Start it again as before.`,
    )
  }
  const [program = '', ...words] = repeatedWords(withoutOnly(command, readLiveState(folder)?.ok))
  if (words.some((word) => word.includes('?…'))) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The command of the run contains a signed address, and its query is not kept; start it with the address: ${continuationOf(command, directory)}`,
    )
  }
  // Without notices it is the same run; without the others it would be another one, or be recorded elsewhere.
  const variables = missingVariables(document.variables ?? []).filter((name) => !isGiven(name, added))
  const missing = variables.filter((name) => name !== 'BELLIS_NOTIFY')
  if (missing.length > 0) {
    const [values, them] = missing.length === 1 ? ['value is', 'it'] : ['values are', 'them']
    throw new ConfigError(
      'INVALID_CONFIG',
      `The run was started with ${missing.join(' and ')}, whose ${values} not kept; set ${them} again: ${missing.map((name) => `${name}=…`).join(' ')} ${ownCommand('resume', folder)}`,
    )
  }
  return { program, words, directory, variables }
}

/** Whether flags say what a variable would. The folder of the run is the one that is asked for. */
function isGiven(name: string, flags: readonly string[]): boolean {
  const flag = { BELLIS_NOTIFY: '--notify', BELLIS_DB: '--db', BELLIS_HOME: '' }[name]
  return flag === '' || flags.some((word) => word === flag || word.startsWith(`${flag}=`))
}

/** Runs a program of the user's that started the run; the signals of the terminal reach it directly. */
async function runProgram(program: string, words: readonly string[]): Promise<void> {
  const child = spawn(program, words, { stdio: 'inherit' })
  process.on('SIGINT', () => {}).on('SIGTERM', () => child.kill('SIGTERM'))
  const [code, signal] = await once(child, 'close')
  process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
}
