import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../', import.meta.url)

/** A fenced block: ```ts run */
export interface CodeBlock {
  readonly language: string
  /** What follows the language on the fence, and selects how the block is tested, as in {@link TESTED}. */
  readonly mark: string
  readonly text: string
  /** The number of its first line, for messages. */
  readonly line: number
}

export interface Document {
  /** `docs/CLI.md` */
  readonly path: string
  readonly blocks: readonly CodeBlock[]
  /** Everything outside fenced blocks. */
  readonly prose: string
}

/** Every kind of block: its language, its mark, and how which test checks it. */
export const TESTED: readonly (readonly [language: string, mark: RegExp, by: string])[] = [
  ['sh', /^$/, 'run as it stands: documents.test.ts'],
  ['ts', /^run$/, 'run as a file: documents.test.ts'],
  ['ts', /^examples\//, 'a part of that file, which is run: documents.test.ts'],
  ['text', /^plan$/, 'a command for a cluster, planned: documents.test.ts'],
  ['text', /^output$/, 'lines that commands print, "…" is anything: snippets.test.ts'],
  ['text', /^record$/, 'a command that needs a run, given one: snippets.test.ts'],
  ['text', /^resume$/, 'a command that continues a run, tried on one that is done: snippets.test.ts'],
  ['text', /^live$/, 'a command for a running run, tried on one that has ended: snippets.test.ts'],
  ['text', /^numpy$/, 'a setting for NumPy, which knows it: snippets.test.ts'],
  ['text', /^pip$/, 'what users install: clients/python-package.test.ts installs the same from the wheel'],
  ['python', /^package$/, 'run in order, in one program: clients/python-package.test.ts'],
  ['python', /^daisy$/, 'the same with a sample in an older Zarr: clients/python-package.test.ts'],
  ['python', /^dask$/, 'run in order, and both results compared: clients/python-guests.test.ts'],
  ['python', /^record$/, 'run where that command has written: snippets.test.ts'],
  ['python', /^worker$/, 'a worker of a run: snippets.test.ts'],
  ['json', /^$/, 'taken as it stands, protocol.test.ts, or compared with what is printed, snippets.test.ts'],
  ['text', /^debug$/, 'a command to debug, run: debugging.test.ts'],
  ['json', /^engine$/, 'taken as it stands: entry/parent/parent-messages.test.ts'],
  ['json', /^notice$/, 'compared with what is posted: snippets.test.ts'],
  ['json', /^provenance$/, 'compared with what is written: snippets.test.ts'],
  ['json', /^site$/, 'read as a profile: entry/cli/sites.test.ts'],
  ['json', /^launch$/, 'a configuration for VS Code, run: debugging.test.ts'],
  ['text', /^drawing$/, 'nothing: there is nothing to run'],
]

/** Every document of the repository that users read. The documents that `bellis new` writes are tested where they are written. */
export function documents(): Document[] {
  const inDocs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'))
  return ['README.md', 'CHANGELOG.md', 'clients/python/README.md', ...inDocs.map((name) => `docs/${name}`)].map(
    readDocument,
  )
}

export function readDocument(path: string): Document {
  const blocks: CodeBlock[] = []
  const prose: string[] = []
  let open: { language: string; mark: string; lines: string[]; line: number; indent: number } | undefined
  for (const [number, line] of readFileSync(new URL(path, root), 'utf8').split('\n').entries()) {
    const fence = /^( *)```(\S*) ?(.*)$/.exec(line)
    if (fence === null) {
      if (open === undefined) prose.push(line)
      else open.lines.push(line.slice(open.indent))
    } else if (open === undefined)
      open = { language: fence[2]!, mark: fence[3]!, lines: [], line: number + 2, indent: fence[1]!.length }
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

/**
 * The anchors of a document's headings, `#many-writers`, in order.
 * @see https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links
 */
export function anchorsOf({ prose }: Document): string[] {
  const seen = new Map<string, number>()
  return [...prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading)
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    // A repeated heading gets a number.
    return count === 0 ? `#${slug}` : `#${slug}-${count}`
  })
}

const slugOf = (heading: string): string =>
  heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/(?<![\p{L}\p{N}])_(.+?)_(?![\p{L}\p{N}])/gu, '$1')
    .toLowerCase()
    .trim()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\s-]/gu, '')
    .replaceAll(/\s/g, '-')

/** A command line of a document, without its prompt. */
export interface DocumentedCommand {
  readonly words: readonly string[]
  /** The expected exit code, from its comment: `# exits with 2`. */
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

/** The pattern of a line of output that a document shows: "…" stands for anything. */
export function patternOf(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(parts.join('.*'))
}

/** Splits words as a shell does; quotes may only surround a complete word. */
const wordsOf = (text: string): string[] =>
  [...text.matchAll(/"([^"]*)"|'([^']*)'|\S+/g)].map(([word, double, single]) => double ?? single ?? word)

export const pathOf = (path: string): string => fileURLToPath(new URL(path, root))
