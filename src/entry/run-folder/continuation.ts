import { realpathSync } from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { quoteShell } from '../../core/shell-words.ts'
import { OWN_PROGRAM, ownCommand } from '../own-command.ts'
import { withoutCredentials } from './progress-place.ts'
import { hideSecrets, withoutNotify } from './run-command.ts'

/** They would start again from nothing. */
const NOT_REPEATED = ['--overwrite', '--yes']

/** The query of a web address that was left out. */
const HIDDEN = /https?:\/\/[^\n?]*\?…/i

/** The command of the program that has started this process for its runs; null if it has none that can be repeated. */
let ofParent: readonly string[] | null | undefined

/** From now on, the runs of this process are those of a program that has started it. @param command null if it can't be repeated */
export function setParentCommand(command: readonly string[] | null): void {
  ofParent = command?.map(hideSecrets) ?? null
}

/** The command that is kept in `run.json` to continue a run; undefined if there is none. */
export const keptCommand = (): readonly string[] | undefined => (ofParent === null ? undefined : commandOfProcess())

/** The command line of this process as it is kept in `run.json`: "bellis", or "node" and a script, then the arguments. */
export function commandOfProcess(): readonly string[] {
  if (ofParent) return ofParent
  const [, program = '', ...words] = process.argv
  // It may be read by others: BELLIS_DB has the credentials, BELLIS_NOTIFY the address of notices.
  const safe = withoutNotify(words).map(hideSecrets)
  return isOwnProgram(program) ? ['bellis', ...safe] : ['node', program, ...safe]
}

/** Variables of the environment that decide what a run is and where it is recorded, and those with which it is asked for notices. */
const VARIABLE = /^BELLIS_(CONFIG_\w+|DB|HOME|NOTIFY|ALLOW_EXTERNAL|WRITE_EMPTY_CHUNKS)$/
/** Flags that set such variables themselves, or whose secrets belong there. */
const FLAGS = { '--allow-external': 'BELLIS_ALLOW_EXTERNAL', '--write-empty-chunks': 'BELLIS_WRITE_EMPTY_CHUNKS' }

/**
 * The names of the variables that this command needs to be run again as it was: those that are set, and those for what is left out of its
 * words, such as the address of notices. Their values may be secrets.
 */
export function variablesOfProcess(
  [, , ...words]: readonly string[] = process.argv,
  environment: NodeJS.ProcessEnv = process.env,
): readonly string[] {
  const byFlags = Object.entries(FLAGS).flatMap(([flag, name]) => (words.includes(flag) ? [name] : []))
  const set = Object.keys(environment).filter(
    (name) => VARIABLE.test(name) && environment[name] !== '' && !byFlags.includes(name),
  )
  const hasNotify = withoutNotify(words).length < words.length
  const hasPassword = words.some((word) => withoutCredentials(word) !== word)
  return [...new Set([...set, ...(hasNotify ? ['BELLIS_NOTIFY'] : []), ...(hasPassword ? ['BELLIS_DB'] : [])])].sort()
}

/** Those that are not set now. @param names as a file of a run has them */
export const missingVariables = (names: readonly string[]): string[] =>
  names.filter((name) => VARIABLE.test(name) && !process.env[name])

/** The words of a command that are run again to continue it. */
export const repeatedWords = (command: readonly string[]): string[] =>
  command[0] === 'bellis' || command[0] === 'node'
    ? command.filter((word) => !NOT_REPEATED.includes(word))
    : [...command]

/**
 * The command of a run without `--only`, if its last start has done the blocks that were chosen: what continues it are the others.
 * @param wasOk whether the last start did all that was asked of it
 */
export function withoutOnly(command: readonly string[], wasOk: boolean | undefined): readonly string[] {
  if (!wasOk || command[0] !== 'bellis') return command
  return command.filter((word, i) => !/^--only(=|$)/.test(word) && command[i - 1] !== '--only')
}

/**
 * A line for a shell that continues a run.
 * @param command as in `run.json`
 * @param directory where the command was started @default the working directory
 * @param variables what it needs of the environment: a comment names those that are not set here @default none
 */
export function continuationOf(
  command: readonly string[],
  directory = process.cwd(),
  variables: readonly string[] = [],
): string {
  const call = commandLineOf(repeatedWords(command))
  const missing = missingVariables(variables)
  const hints = [
    ...(HIDDEN.test(call) ? ['write the query of the address, which is not kept, in place of …'] : []),
    ...(missing.length > 0
      ? [`set ${missing.join(', ')} again, which ${missing.length === 1 ? 'is' : 'are'} not kept`]
      : []),
  ]
  const hint = hints.length === 0 ? '' : `  # ${hints.join('; ')}`
  return `${directory === process.cwd() ? '' : `cd ${quoteShell(directory)} && `}${call}${hint}`
}

/** A command as in `run.json`, as a line for a shell. */
export function commandLineOf([program = '', ...words]: readonly string[]): string {
  return program === 'bellis' ? ownCommand(...words) : [program, ...words].map(quoteShell).join(' ')
}

function isOwnProgram(path: string): boolean {
  try {
    return realpathSync(path) === realpathSync(OWN_PROGRAM)
  } catch {
    return false
  }
}

/**
 * Makes a folder that of this process, as it was where a command was given.
 * @param say what is wrong if it can't be entered, for people
 * @throws ConfigError `NO_SUCH_FILE`
 */
export function enterFolder(directory: string, say: (error: unknown) => string): void {
  try {
    process.chdir(directory)
  } catch (error) {
    throw new ConfigError('NO_SUCH_FILE', say(error), { cause: error })
  }
}
