import { realpathSync } from 'node:fs'
import { quoteShell } from '../../core/shell-words.ts'
import { OWN_PROGRAM, ownCommand } from '../own-command.ts'
import { hideSecrets, withoutNotify } from './run-command.ts'

/** They would start again from nothing. */
const NOT_REPEATED = ['--overwrite', '--yes']

/** The query of a web address that was left out. */
const HIDDEN = /https?:\/\/[^\n?]*\?…/i

/** The command line of this process as it is kept in `run.json`: "bellis", or "node" and a script, then the arguments. */
export function commandOfProcess(): readonly string[] {
  const [, program = '', ...words] = process.argv
  // It may be read by others: BELLIS_DB has the credentials, BELLIS_NOTIFY the address of notices.
  const safe = withoutNotify(words).map(hideSecrets)
  return isOwnProgram(program) ? ['bellis', ...safe] : ['node', program, ...safe]
}

/** The words of a command that are run again to continue it. */
export const repeatedWords = (command: readonly string[]): string[] =>
  command.filter((word) => !NOT_REPEATED.includes(word))

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
 */
export function continuationOf(command: readonly string[], directory = process.cwd()): string {
  const call = commandLineOf(repeatedWords(command))
  const hint = HIDDEN.test(call) ? '  # write the query of the address, which is not kept, in place of …' : ''
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
