import { createHash, type Hash } from 'node:crypto'
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { moduleName, OWN_SCHEME } from '../../workers/module-name.ts'
import { ownVersion } from '../run-command.ts'

/** What tells the code of a task from other code. */
export interface TaskCode {
  /** SHA-256 of its files; for a task of Bellis, its version: `bellis 0.1.0`. */
  readonly hash: string
  /** How many files it has. */
  readonly files: number
}

/** Extensions that Node adds to the path of a `require`. */
const EXTENSIONS = ['', '.js', '.json', '.cjs', '.ts', '.cts', '/index.js', '/index.ts']
/** Weights of a network or data beside a module would take long to read. */
const MAX_BYTES = 4_000_000
const MAX_FILES = 10_000

// Words in comments may be found, too: a file more does no harm.
const IMPORT = /\b(?:from|import|require)\s*\(?\s*(?:\/\*.*?\*\/\s*)?(['"`])(\.{1,2}\/[^'"`\n]+)\1/g
/** A program or a file of data beside a module. */
const BESIDE = /\bnew\s+URL\(\s*(['"`])([^'"`\n:]+)\1\s*,\s*import\.meta\.url\s*\)/g

/**
 * The code of a task: the module that defines it, the files that this imports by relative paths, and so on. Packages do not count. Reading
 * it never fails: a file that can't be read is part of the code by its name.
 * @param module URL
 * @returns undefined if the module is not a file
 */
export function codeOf(module: string): TaskCode | undefined {
  if (moduleName(module).startsWith(OWN_SCHEME)) return { hash: `bellis ${ownVersion()}`, files: 1 }
  if (!module.startsWith('file:')) return undefined
  const first = realOf(fileURLToPath(module.replace(/[?#].*$/, '')))
  const found = new Map<string, string>()
  for (const open = [first]; open.length > 0 && found.size < MAX_FILES; ) {
    const path = open.pop() as string
    if (found.has(path)) continue
    const text = readText(path)
    found.set(path, text ?? '')
    if (text !== undefined && /\.[cm]?[jt]s$/.test(path)) open.push(...importsOf(path, text))
  }
  return { hash: hashOf(dirname(first), found).digest('hex'), files: found.size }
}

/** The same wherever the folder of the module is. */
function hashOf(folder: string, files: ReadonlyMap<string, string>): Hash {
  const hash = createHash('sha256')
  const named = [...files].map(([path, text]) => [relative(folder, path), text] as const)
  for (const [name, text] of named.sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(JSON.stringify([name, text]))
  return hash
}

function importsOf(path: string, text: string): string[] {
  const imported = [...text.matchAll(IMPORT)].map(([, , name = '']) => name)
  const beside = [...text.matchAll(BESIDE)].map(([, , name = '']) => name)
  return [...imported, ...beside].flatMap((name) => {
    const base = join(dirname(path), name.replace(/[?#].*$/, ''))
    const file = EXTENSIONS.map((extension) => base + extension).find(isFile)
    return file === undefined ? [] : [realOf(file)]
  })
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function readText(path: string): string | undefined {
  try {
    const { size, mtimeMs } = statSync(path)
    return size > MAX_BYTES ? `${size} ${mtimeMs}` : readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}
