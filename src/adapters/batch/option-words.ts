import { ConfigError } from '../../core/errors.ts'
import { splitWords } from '../../core/shell-words.ts'

/** The options of a program that submits jobs: `-q short -l walltime=1:00:00`. */
export interface OptionRules {
  /** The flag of Bellis with the options, for messages: `--pbs`. */
  readonly flag: string
  readonly program: string
  /** Options that can be given, for messages. */
  readonly example: string
  /** What to do instead of an option that is not allowed; undefined for the others. */
  readonly refused: (word: string) => string | undefined
  /** How many values follow an option. */
  readonly valuesOf: (option: string) => number
}

/**
 * Splits a text into options and their values.
 * @throws ConfigError `INVALID_CONFIG` for a word that is neither an option nor its value, or an option that is not allowed
 */
export function parseOptionWords(text: string, { flag, program, example, refused, valuesOf }: OptionRules): string[] {
  const words = splitWords(text, flag)
  let values = 0
  for (const word of words) {
    // A number may be negative: -p -5.
    if (values > 0 && (!word.startsWith('-') || /^-\d/.test(word))) {
      values--
      continue
    }
    const instead = refused(word)
    if (instead !== undefined) {
      throw new ConfigError('INVALID_CONFIG', `${flag}: the option "${word}" is not allowed: ${instead}.`)
    }
    if (!word.startsWith('-')) {
      throw new ConfigError(
        'INVALID_CONFIG',
        `${flag}: "${word}" is not an option of ${program}; expected only options, such as ${flag} "${example}".`,
      )
    }
    values = valuesOf(word)
  }
  return words
}
