import { wordsAndGaps } from '../../core/shell-words.ts'
import { printableLine } from '../../core/text/printable.ts'
import { ownCommand } from '../own-command.ts'
import { columnsOf } from './terminal.ts'

/** Where a text is to be printed. Only terminals have columns: everywhere else, lines are as long as they need to be. */
export type Screen = Pick<NodeJS.WriteStream, 'isTTY'> & { readonly columns?: number }

/** Between columns. */
export const GAP = 2

/** Whether a line fits on a line of a terminal. The last column stays empty: some terminals wrap once it is filled. */
export const fits = (line: string, { isTTY, columns = 0 }: Screen = process.stdout): boolean =>
  !isTTY || columns === 0 || columnsOf(line) < columns

export const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - columnsOf(text)))

/**
 * A line, broken between words where it would not fit into a terminal; as it is for any other stream, and where a word is longer.
 * @param indent of the further lines, columns
 */
export function wrapped(line: string, indent: number, screen: Screen = process.stdout): string {
  const { columns = 0 } = screen
  if (fits(line, screen) || columns <= 2 * indent) return line
  return broken(line.split(/(?<=\S)( +)(?=\S)/), `\n${' '.repeat(indent)}`, columns)
}

/**
 * A warning, broken between words where it would not fit into a terminal; its first command is on a line of its own, unbroken, so that
 * it can be copied.
 */
export function wrappedWarning(text: string, screen: Screen): string {
  if (fits(text, screen)) return text
  const at = text.indexOf(`: ${ownCommand()} `)
  if (at < 0) return wrapped(text, 2, screen)
  return `${wrapped(text.slice(0, at + 1), 2, screen)}\n    ${text.slice(at + 2)}`
}

/**
 * A line of shell, broken between its words where it would not fit into a terminal, so that it runs if all of its lines are pasted.
 * @param indent of the further lines, columns
 */
export function wrappedCommand(line: string, indent: number, screen: Screen = process.stdout): string {
  // A backslash at the end of a line means something else there.
  if (fits(line, screen) || process.platform === 'win32') return line
  const { columns = 0 } = screen
  const separator = ` \\\n${' '.repeat(indent)}`
  return broken(withValues(wordsAndGaps(line), columns - indent - 2), separator, columns)
}

/** Lines of a help text, each broken where it would not fit into a terminal: below its second column, if it has two. */
export const wrappedHelp = (text: string, screen: Screen = process.stdout): string =>
  text
    .split('\n')
    .map((line) => {
      if (/^ *\$ /.test(line)) return wrappedCommand(line, 6, screen)
      const [first = ''] = /^ *(?:\S.*?\S {2,}(?=\S))?/.exec(line) ?? []
      return wrapped(line, 2 * first.length < (screen.columns ?? 0) ? first.length : 6, screen)
    })
    .join('\n')

/** Words and gaps as given, with a flag and its value, such as `--sigma 3`, as one word. @param room for both together, columns */
function withValues(parts: readonly string[], room: number): string[] {
  const joined: string[] = []
  for (let at = 0; at < parts.length; at += 2) {
    const [word = '', gap = '', next = '-'] = parts.slice(at)
    const hasValue = /^--?[a-z][\w-]*$/i.test(word) && !next.startsWith('-') && columnsOf(`${word}${gap}${next}`) < room
    if (joined.length > 0) joined.push(parts[at - 1] ?? '')
    joined.push(hasValue ? `${word}${gap}${next}` : word)
    if (hasValue) at += 2
  }
  return joined
}

/** Joins words and the gaps between them. @param separator takes the place of a gap where the line would become too long */
function broken([first = '', ...parts]: readonly string[], separator: string, columns: number): string {
  const [end = '', start = ''] = separator.split('\n')
  let text = first
  let width = columnsOf(first)
  for (let at = 0; at < parts.length; at += 2) {
    const [space = '', word = ''] = [parts[at], parts[at + 1]]
    const length = columnsOf(word)
    const isBreak = width + space.length + length + end.length >= columns
    text += isBreak ? `${separator}${word}` : `${space}${word}`
    width = isBreak ? start.length + length : width + space.length + length
  }
  return text
}

/** `label: command`; on a terminal where that does not fit, the command is on lines of its own below. */
export function withCommand(label: string, command: string, screen: Screen = process.stdout): string {
  const line = `${label}: ${command}`
  if (fits(line, screen)) return line
  const indent = label.length - label.trimStart().length + 2
  return `${label}:\n${wrappedCommand(' '.repeat(indent) + command, indent + 2, screen)}`
}

/** What a text is about, and the text; a command that does not fit is below its label, broken so that it can be pasted. */
export type LabelledText = readonly [label: string, text: string, kind?: 'command']

/**
 * Texts below each other, each with its label on its left; where a terminal is too narrow for that, the text is below its label.
 * @returns a line, or lines, for each
 */
export function labelled(rows: readonly LabelledText[], screen: Screen = process.stdout): string[] {
  const width = Math.max(0, ...rows.map(([label]) => columnsOf(label))) + GAP
  const { isTTY, columns = 0 } = screen
  const isNarrow = (text: string) =>
    isTTY &&
    columns > 0 &&
    (columns < 2 * width || text.split(' ').some((word) => width + 2 + columnsOf(word) >= columns))
  return rows.map(([label, text, kind]) => {
    const shown = printableLine(text)
    const line = `  ${pad(label, width)}${shown}`
    if (kind === 'command' && !fits(line, screen)) return `  ${label}\n${wrappedCommand(`    ${shown}`, 6, screen)}`
    return isNarrow(shown) ? `  ${label}\n${wrapped(`    ${shown}`, 4, screen)}` : wrapped(line, width + 2, screen)
  })
}
