import { ConfigError } from './errors.ts'

/** A word as a shell reads it. */
export const quoteShell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/**
 * Splits the text of an option as a shell would.
 * @param flag for messages: `--slurm`
 * @throws ConfigError `INVALID_CONFIG` for a quote that does not end, and for a line that does
 */
export function splitWords(text: string, flag: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (/[\0\r\n]/.test(character)) {
      throw new ConfigError('INVALID_CONFIG', `The text of ${flag} has a line break; write its options in one line.`)
    }
    if (character === '\\' && quote !== "'" && at + 1 < text.length) word = (word ?? '') + text[++at]
    else if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (quote === '' && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (quote !== '') {
    throw new ConfigError('INVALID_CONFIG', `A quote ${quote} in ${flag} does not end: ${text}`)
  }
  if (word !== undefined) words.push(word)
  return words
}
