import { ConfigError } from '../../../core/errors.ts'
import { splitWords } from '../../../core/shell-words.ts'

/** Options of qsub that Bellis sets itself, or with which no worker would start; and what to do instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ...['-t', '-J'].map((name) => [name, 'use --workers'] as const),
  ...['-o', '-e', '-j', '-k'].map((name) => [name, "a worker's output goes to the run's folder"] as const),
  ['-N', 'Bellis names its jobs so that it can cancel them'],
  ...['-d', '-w', '-D'].map((name) => [name, 'workers run in the folder where the run was started'] as const),
  ['-r', 'Bellis replaces a job that has ended with a new one'],
  ...['-I', '-X', '-S', '-C', '-F', '-z', '-v'].map((name) => [name, 'no worker can be submitted with it'] as const),
])
const WITHOUT_VALUE: ReadonlySet<string> = new Set(['-V', '-h', '-f', '-n', '-x'])

/**
 * Splits the text of `--pbs` into options.
 * @throws ConfigError `INVALID_CONFIG` for a word that is neither an option nor its value, or an option that Bellis sets itself
 */
export function parsePbsOptions(text: string): string[] {
  const words = splitWords(text, '--pbs')
  let takesValue = false
  for (const word of words) {
    if (takesValue && !word.startsWith('-')) {
      takesValue = false
      continue
    }
    const refused = REFUSED.get(word.slice(0, 2))
    if (refused !== undefined) {
      throw new ConfigError('INVALID_CONFIG', `--pbs: the option "${word}" is not allowed: ${refused}.`)
    }
    if (!word.startsWith('-')) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `--pbs: "${word}" is not an option of qsub; expected only options, such as --pbs "-q short -l walltime=4:00:00".`,
      )
    }
    takesValue = !WITHOUT_VALUE.has(word)
  }
  return words
}
