import { ConfigError } from '../../../core/errors.ts'
import { splitWords } from '../../../core/shell-words.ts'

/** Options of sbatch that Bellis sets itself, or with which no worker would start; and what to do instead. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^(--array|-a)/, 'use --workers'],
  [/^(--output|-o|--error|-e|--open-mode)/, "a worker's output goes to the run's folder"],
  [/^(--job-name|-J)/, 'Bellis names its jobs so that it can cancel them'],
  [/^(--chdir|-D)/, 'workers run in the folder where the run was started, so that paths stay valid'],
  [/^(--wait|-W|--wrap|--test-only|--parsable|--help|-h|--usage|--version|-V)/, 'no worker can be submitted with it'],
  [/^(--requeue)/, 'Bellis replaces a job that has ended with a new one'],
]

/** `-o` refuses `-o file` and `-ofile`, `--error` refuses `--error=file` but not `--errors-of-mine`. */
const matches = (word: string, pattern: RegExp): boolean => {
  const found = pattern.exec(word)?.[0]
  if (found === undefined) return false
  return found.startsWith('--') ? word === found || word.startsWith(`${found}=`) : true
}

/**
 * Splits the text of `--slurm` into options, as a shell would.
 * @example '--partition=short --comment="my volume"' → ['--partition=short', '--comment=my volume']
 * @throws ConfigError `INVALID_CONFIG` for an unclosed quote, a word that is no option, or an option that Bellis sets itself
 */
export function parseSbatchOptions(text: string): string[] {
  const words = splitWords(text, '--slurm')
  words.forEach((word, index) => {
    const isValue = !word.startsWith('-') && /^(-[A-Za-z]|--[a-z][\w-]*)$/.test(words[index - 1] ?? '')
    if (!word.startsWith('-') && !isValue) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `--slurm: "${word}" is not an option of sbatch; expected only options, such as --slurm "--partition=short --time=4:00:00".`,
      )
    }
    const refused = isValue ? undefined : REFUSED.find(([pattern]) => matches(word, pattern))
    if (refused !== undefined) {
      throw new ConfigError('INVALID_CONFIG', `--slurm: the option "${word}" is not allowed: ${refused[1]}.`)
    }
  })
  return words
}
