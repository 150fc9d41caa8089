import { ConfigError } from './errors.ts'

/** Quotes a word for a shell, if necessary. */
export const quoteShell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/**
 * Splits the text of an option as a shell would.
 * @param flag for messages: `--slurm`
 * @throws ConfigError `INVALID_CONFIG` for a quote that is not closed, and for a line break
 */
export function splitWords(text: string, flag: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (/[\0\r\n]/.test(character)) {
      throw new ConfigError('INVALID_CONFIG', `${flag} contains a line break; write its options on one line.`)
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
    throw new ConfigError('INVALID_CONFIG', `${flag} contains an unclosed quote ${quote}: ${text}`)
  }
  if (word !== undefined) words.push(word)
  return words
}
