import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Argument, Command, type Option } from 'commander'
import { splitWords } from '../../../core/shell-words.ts'
import { parseDatasetPath } from '../../arrays.ts'
import { runsHome } from '../../run-folder/run-place.ts'
import { listRuns } from '../../run-folder/run-state.ts'
import { moduleOptions } from '../tasks/config/module-fields.ts'
import { flagsOfModule } from './module-flags.ts'

/** Something that can stand at the cursor. */
export interface Candidate {
  readonly text: string
  readonly description?: string
}

/** What can stand at the cursor: these, and the names of files if `takesFiles`. */
export interface Completion {
  readonly candidates: readonly Candidate[]
  readonly takesFiles: boolean
}

/** Names of values that are files, folders, or datasets in files. */
const FILES = /^(file|folder|dataset|name=dataset|group|src|dst|dir|out\.hdf)$/
/** Names of values that are datasets which exist. */
const DATASETS = /^(dataset|name=dataset|src)$/
const MAX_DATASETS = 1000
const PATIENCE_MS = 10_000
const NOTHING: Completion = { candidates: [], takesFiles: false }

/**
 * Prints what can stand at the cursor, for the scripts of `bellis completion`: one candidate per line, with its description after
 * a tab, and the line `:files` if names of files can stand there, too.
 * @param words up to the cursor, without the name of the program; the last one may be empty
 */
export async function printCompletions(program: Command, words: readonly string[]): Promise<void> {
  const { candidates, takesFiles } = await complete(program, words)
  const lines = candidates.map(({ text, description }) =>
    description === undefined ? text : `${text}\t${description}`,
  )
  process.stdout.write([...lines, ...(takesFiles ? [':files'] : [])].map((line) => `${line}\n`).join(''))
}

/**
 * What can stand at the cursor.
 * @param words as for {@link printCompletions}
 * @param signal ends the loading of a module. @default after ten seconds, since someone waits at a prompt
 */
export async function complete(
  program: Command,
  words: readonly string[],
  signal = AbortSignal.timeout(PATIENCE_MS),
): Promise<Completion> {
  const { before, current, prefix } = atCursor(words)
  const { command, options, position, pending } = await placeAfter(program, before, current, signal)
  const value = pending === undefined || (pending.optional && current.startsWith('-')) ? undefined : pending
  const found =
    value !== undefined
      ? await completeValue(valueName(value.flags), value.argChoices, current)
      : current.startsWith('-')
        ? completeFlags(options)
        : await completeArgument(command, position, current)
  const candidates = found.candidates
    .filter(({ text }) => text.startsWith(current))
    .map((candidate) => ({ ...candidate, text: `${prefix}${candidate.text}` }))
  return { ...found, candidates }
}

/**
 * The words before the cursor and the one at it. Bash makes three words of `--mode=re` and completes the last; other shells have
 * one word and complete all of it, so candidates then need the prefix `--mode=`.
 */
function atCursor(words: readonly string[]): { before: string[]; current: string; prefix: string } {
  const last = words.at(-1) ?? ''
  const before = words.slice(0, -1).filter((word) => word !== '=')
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(last) ?? []
  if (flag !== undefined && value !== undefined)
    return { before: [...before, flag], current: value, prefix: `${flag}=` }
  return { before, current: last === '=' ? '' : last, prefix: '' }
}

interface Place {
  readonly command: Command
  /** The command that has the flags which can stand here. */
  readonly options: Command
  /** How many arguments come before. */
  readonly position: number
  /** The flag before the cursor, if it takes a value. */
  readonly pending?: Option
  /** The file or package that `bellis run` or `bellis plan` is to load. */
  readonly module?: string
}

/** Where in the command line the cursor is. If a flag of a module's own can stand there, the module is loaded. */
async function placeAfter(
  program: Command,
  before: readonly string[],
  current: string,
  signal: AbortSignal,
): Promise<Place> {
  const place = walk(program, before)
  const isAtFlag = current.startsWith('-') || before.at(-1)?.startsWith('-') === true
  if (place.module === undefined || place.pending !== undefined || !isAtFlag) return place
  const at = before.lastIndexOf('--task')
  const task = at === -1 ? before.find((word) => word.startsWith('--task='))?.slice('--task='.length) : before[at + 1]
  const options = new Command('run')
  for (const option of await flagsOfModule(pathOf(place.module), { task, signal })) options.addOption(option)
  return walk(program, before, moduleOptions(options))
}

/** A word as the shell would pass it: bash and fish complete words as they are written. */
function pathOf(word: string): string {
  if (isFile(word)) return word
  try {
    const [path = word] = splitWords(word, 'FILE')
    return word.startsWith('~/') ? join(homedir(), path.slice(2)) : path
  } catch {
    return word
  }
}

/** Where in the command line the cursor is. @param ofModule has the flags that can stand behind a module */
function walk(program: Command, before: readonly string[], ofModule = moduleOptions(new Command('run'))): Place {
  let place: Place = { command: program, options: program, position: 0 }
  for (const word of before) {
    const { pending, ...here } = place
    const { command, options, position } = here
    const isValue = pending !== undefined && (pending.required || !word.startsWith('-'))
    const option = isValue ? undefined : options.options.find(({ long, short }) => word === long || word === short)
    const below =
      position > 0 ? undefined : command.commands.find((each) => [each.name(), ...each.aliases()].includes(word))
    if (isValue) place = here
    else if (option !== undefined) {
      place = { ...here, ...(option.required || option.optional ? { pending: option } : {}) }
    } else if (word.startsWith('-')) place = here
    else if (below !== undefined) {
      place = { command: below, options: below.name() === 'run' ? ofModule : below, position: 0 }
    } else {
      const isModule = position === 0 && loadsModule(command)
      place = { ...here, position: position + 1, ...(isModule ? { options: ofModule, module: word } : {}) }
    }
  }
  return place
}

/** Whether the first argument is a module. Its flags are parsed only once it is loaded. */
const loadsModule = (command: Command): boolean => command.name() === 'run' || command.name() === 'plan'

/** The flags that the help of a command shows. */
const completeFlags = (command: Command): Completion => ({
  candidates: command
    .createHelp()
    .visibleOptions(command)
    .map(({ long, short, description }) => ({ text: long ?? short ?? '', description: firstClause(description) })),
  takesFiles: false,
})

async function completeArgument(command: Command, position: number, current: string): Promise<Completion> {
  const commands =
    position > 0
      ? []
      : command
          .createHelp()
          .visibleCommands(command)
          .map((each) => ({ text: each.name(), description: firstClause(each.description()) }))
  const argument = argumentAt(command, position)
  const isFile = position === 0 && loadsModule(command)
  const own = isFile
    ? { candidates: [], takesFiles: true }
    : argument === undefined
      ? NOTHING
      : await completeValue(argument.name(), argument.argChoices, current)
  return { candidates: [...commands, ...own.candidates], takesFiles: own.takesFiles }
}

function argumentAt({ registeredArguments }: Command, position: number): Argument | undefined {
  const last = registeredArguments.at(-1)
  return registeredArguments[position] ?? (last?.variadic ? last : undefined)
}

/** The first word between angles or brackets: `--segmentation [dataset]`. */
const valueName = (flags: string): string => /[<[]([^>\]]*)[>\]]/.exec(flags)?.[1] ?? ''

async function completeValue(
  name: string,
  choices: readonly string[] | undefined,
  current: string,
): Promise<Completion> {
  if (choices !== undefined) return { candidates: choices.map((text) => ({ text })), takesFiles: false }
  if (name === 'run') {
    const runs = ['last', ...listRuns(runsHome()).filter(isPlain)]
    return { candidates: runs.map((text) => ({ text })), takesFiles: true }
  }
  const datasets = DATASETS.test(name) ? await datasetsIn(current) : []
  return { candidates: datasets.map((text) => ({ text })), takesFiles: FILES.test(name) }
}

/** The datasets in the HDF5 file that a path begins with; shells know those in folders. */
async function datasetsIn(path: string): Promise<string[]> {
  const file = [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index)).find(isFile)
  if (file === undefined) return []
  const { format, container } = parseDatasetPath(file)
  const entries = await format.list(container, '', { limit: MAX_DATASETS }).catch(() => [])
  return entries
    .filter(({ kind }) => kind === 'array')
    .map((entry) => `${file}/${entry.path}`)
    .filter(isPlain)
}

/** Whether a name that somebody else may have chosen is one word to every shell, which runs and expands nothing in it. */
const isPlain = (name: string): boolean => /^[\p{L}\p{N}_./][\p{L}\p{N}_.,:=@%+/-]*$/u.test(name)

const isFile = (path: string): boolean => path !== '' && statSync(path, { throwIfNoEntry: false })?.isFile() === true

/** A description for a narrow column: up to its first colon, semicolon, full stop or bracket. */
const firstClause = (text: string): string => text.split(/[.:;](?:\s|$)| \(/, 1)[0]?.replaceAll('\n', ' ') ?? ''
