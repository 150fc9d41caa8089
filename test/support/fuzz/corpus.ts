import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InputKind } from './mutate.ts'

const root = join(import.meta.dirname, '../../fuzz/corpus')

/** The inputs of a target that are kept: those that reach most of it, and those that once broke it. */
export function readCorpus(target: string): Uint8Array[] {
  const folder = join(root, target)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))))
}

/** @param why starts the name of the file: `found` for an input that broke the target, `covers` for any other */
export function keepInput(target: string, kind: InputKind, why: 'found' | 'covers', input: Uint8Array): string {
  const folder = join(root, target)
  mkdirSync(folder, { recursive: true })
  const hash = createHash('sha256').update(input).digest('hex').slice(0, 8)
  const path = join(folder, `${why}-${hash}.${kind === 'bytes' ? 'bin' : 'txt'}`)
  writeFileSync(path, input)
  return path
}
