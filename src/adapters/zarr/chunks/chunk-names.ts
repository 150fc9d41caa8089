import { joinKey } from '../store.ts'

/** The names of the files of chunks. */
export interface ChunkNames {
  /** The key of the folder in which they lie, or the first of their folders. */
  readonly folder: string
  /** How many names a chunk has below that folder. */
  readonly depth: number
  /** Whether the first names below that folder, `depth` of them or fewer, can be those of a chunk. */
  readonly matches: (names: readonly string[]) => boolean
  /** The key of a chunk. */
  readonly keyOf: (index: readonly number[]) => string
}

/**
 * Names made of a prefix and the indices of a chunk: `c/0/1`, `0.1`.
 * @param grid how many chunks there are along each axis, in the order of the names
 */
export function indexNames(
  folder: string,
  {
    prefix,
    separator,
    grid,
  }: { readonly prefix: '' | 'c'; readonly separator: '.' | '/'; readonly grid: readonly number[] },
): ChunkNames {
  // A chunk without axes has a name, too.
  const indices = grid.length === 0 && prefix === '' ? [1] : grid
  const words = [...(prefix === '' ? [] : [prefix]), ...indices]
  const levels = separator === '/' ? words.map((word) => [word]) : [words]
  return {
    folder,
    depth: levels.length,
    matches: (names) => names.every((name, level) => isName(name, levels[level] as readonly (string | number)[])),
    keyOf: (index) => {
      const shown = index.length === 0 && prefix === '' ? [0] : index
      return joinKey(folder, [...(prefix === '' ? [] : [prefix]), ...shown].join(separator))
    },
  }
}

/** @param words of the name between dots: a text, or an index below a number */
function isName(name: string, words: readonly (string | number)[]): boolean {
  const parts = name.split('.')
  if (parts.length !== words.length) return false
  return parts.every((part, at) => {
    const word = words[at] as string | number
    return typeof word === 'string' ? part === word : /^(0|[1-9]\d*)$/.test(part) && Number(part) < word
  })
}
