import type { Command } from 'commander'
import { quoteShell } from '../../core/shell-words.ts'
import { hideQueries } from '../../core/text/shown-address.ts'
import { wrappedHelp } from './layout.ts'

/** Of the flag `--help` of every command. */
const HELP = 'show this help'

/**
 * Makes a command and its subcommands throw on a wrong call instead of exiting, print the reason on one line, and fit their help into the
 * terminal.
 */
export function strict(command: Command): Command {
  command
    .exitOverride()
    .configureOutput({ outputError, writeOut: (text) => void process.stdout.write(wrappedHelp(text)) })
  for (const option of command.createHelp().visibleOptions(command))
    if (option.long === '--help') option.description = HELP
  for (const below of command.commands) strict(below)
  return command
}

/** Commander's message for an invalid value of a flag or an argument. */
const INVALID_VALUE =
  /^error: (?:option '(?<flag>--[\w-]+)[^']*'|command-argument) (?:argument |value )?'(?<value>.*)' is invalid(?: for argument '(?<argument>.*?)')?\. (?<reason>.*)$/s

const UNKNOWN_OPTION = /^error: unknown option '(.*?)'/s
/** No flag has a slash or a dot in its name. */
const PATH_LIKE = /^[^=]*[/\\.]/

function outputError(text: string, write: (text: string) => void): void {
  write(`bellis: ${hideQueries(describeCallError(text.trim())).replaceAll(/\s*\n\s*/g, ' ')}\n`)
}

function describeCallError(text: string): string {
  const path = UNKNOWN_OPTION.exec(text)?.[1]
  if (path !== undefined && PATH_LIKE.test(path)) {
    return `unknown option '${path}'; if it is a path, write ${quoteShell(`./${path}`)}.`
  }
  const { flag, argument, value, reason = '' } = INVALID_VALUE.exec(text)?.groups ?? {}
  if (value === undefined) return text.replace(/^error: /, '')
  return `${flag ?? argument} ${value}: ${reason.replace(/^Allowed choices are /, 'expected one of ')}`
}
