import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)

/** A fenced block: ```ts run */
export interface CodeBlock {
  readonly language: string
  /** What follows the language on the fence: `run`, or the path of the file that it is a part of. */
  readonly mark: string
  readonly text: string
  /** Of its first line, for messages. */
  readonly line: number
}

export interface Document {
  /** `docs/CLI.md` */
  readonly path: string
  readonly blocks: readonly CodeBlock[]
  /** All that is outside of fenced blocks. */
  readonly prose: string
}

/** Every document of the repository that users read. */
export function documents(): Document[] {
  const inDocs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'))
  return ['README.md', 'CHANGELOG.md', ...inDocs.map((name) => `docs/${name}`)].map(readDocument)
}

export function readDocument(path: string): Document {
  const blocks: CodeBlock[] = []
  const prose: string[] = []
  let open: { language: string; mark: string; lines: string[]; line: number } | undefined
  for (const [number, line] of readFileSync(new URL(path, root), 'utf8').split('\n').entries()) {
    const fence = /^```(\S*) ?(.*)$/.exec(line)
    if (fence === null) (open?.lines ?? prose).push(line)
    else if (open === undefined) open = { language: fence[1]!, mark: fence[2]!, lines: [], line: number + 2 }
    else {
      blocks.push({ language: open.language, mark: open.mark, text: open.lines.join('\n'), line: open.line })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`${path}: the block at line ${open.line} has no end`)
  return { path, blocks, prose: prose.join('\n') }
}

/** Targets of links and pictures. */
export const linksOf = ({ prose }: Document): string[] =>
  [...prose.matchAll(/\]\(([^)\s]+)\)|<img[^>]* src="([^"]+)"/g)].map((match) => (match[1] ?? match[2]) as string)

/** What a link to a heading is called: `#many-writers`. */
export const anchorsOf = ({ prose }: Document): string[] =>
  [...prose.matchAll(/^#+ (.+)$/gm)].map((match) =>
    `#${match[1]}`
      .toLowerCase()
      .replace(/[^\w\s#-]/g, '')
      .replaceAll(' ', '-'),
  )

/** A command line of a document, without its prompt. */
export interface DocumentedCommand {
  readonly words: readonly string[]
  /** As its comment says: `# exits with 2`. */
  readonly exitCode: number
  readonly text: string
}

/** The command lines of blocks for the shell, in order. */
export const commandsOf = ({ blocks }: Document): DocumentedCommand[] =>
  blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => commandsIn(text))

/** The command lines of one block, in order. */
export const commandsIn = (text: string): DocumentedCommand[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map(parseCommand)

export function parseCommand(line: string): DocumentedCommand {
  const [text = '', comment = ''] = line.split(/\s+#\s/)
  const words = wordsOf(text)
  if (words[0] === 'npx') words.shift()
  return { words, exitCode: Number(/exits with (\d+)/.exec(comment)?.[1] ?? 0), text: text.trim() }
}

/** Words as a shell takes them apart, quotes around a whole word at most. */
const wordsOf = (text: string): string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|\S+/g)].map(([word, double, single]) => double ?? single ?? word)

export const pathOf = (path: string): string => fileURLToPath(new URL(path, root))
