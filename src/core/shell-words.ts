import { ConfigError } from './errors.ts'

/** Quotes a word for a shell, if necessary. */
export const quoteShell = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** A line of shell in its words and the spaces between them: word, gap, word, gap, word. Spaces at its start belong to the first word. */
export function wordsAndGaps(line: string): string[] {
  const parts: string[] = []
  let word = /^ */.exec(line)?.[0] ?? ''
  let quote = ''
  for (let at = word.length; at < line.length; at++) {
    const character = line[at] as string
    const gap = quote === '' ? /^ +(?=\S)/.exec(line.slice(at))?.[0] : undefined
    if (gap !== undefined) {
      parts.push(word, gap)
      word = ''
      at += gap.length - 1
      continue
    }
    word += character
    if (character === '\\' && quote !== "'" && at + 1 < line.length) word += line[++at]
    else if (character === quote) quote = ''
    else if (quote === '' && (character === '"' || character === "'")) quote = character
  }
  return [...parts, word]
}

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
