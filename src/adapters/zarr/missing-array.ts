import { statSync } from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { listNodes, readNode } from './metadata/hierarchy.ts'
import type { Store } from './store.ts'

const MAX_NAMES = 8

export const showNames = (names: readonly string[]): string =>
  names.slice(0, MAX_NAMES).join(', ') + (names.length > MAX_NAMES ? ', …' : '')

/**
 * @param kind what was looked for: `an N5 container`
 * @throws ConfigError `NO_SUCH_FILE`
 */
export async function assertContainer(store: Store, kind = 'a Zarr container'): Promise<void> {
  if (!store.writable || (await store.list('')) !== undefined) return
  const isFile = statSync(store.where(''), { throwIfNoEntry: false })?.isFile()
  const what = isFile ? `is a file, and ${kind} is a folder; check the path` : 'does not exist; check the path'
  throw new ConfigError('NO_SUCH_FILE', `${store.where('')} ${what}.`)
}

/** The error for a path at which nothing was found, with the most similar names. */
export async function nothingThere(store: Store, key: string): Promise<ConfigError> {
  await assertContainer(store)
  const nodes = await listNodes(store, '', 200)
  const rootNode = key === '' ? undefined : await readNode(store, '')
  if (!store.writable && rootNode === undefined && nodes.length === 0) {
    return new ConfigError('NO_SUCH_FILE', `${store.where(key)}: no Zarr array was found there; check the address.`)
  }
  const arrays = nodes.filter((node) => node.kind === 'array').map((node) => node.path)
  const names = arrays.length === 0 ? 'it contains no arrays' : `it has ${showNames(closestNames(key, arrays))}`
  if (key === '') {
    return new ConfigError('NOT_A_DATASET', `${store.where('')} is not an array; ${names}.`)
  }
  return new ConfigError('NO_SUCH_DATASET', `There is no "${key}" in ${store.where('')}; ${names}.`)
}

/** Sorts names by their similarity to one that was not found, most similar first. */
function closestNames(wanted: string, names: readonly string[]): string[] {
  const distances = new Map(names.map((name) => [name, editDistance(wanted.toLowerCase(), name.toLowerCase())]))
  return [...names].sort((a, b) => (distances.get(a) as number) - (distances.get(b) as number))
}

/** Levenshtein distance: how many characters have to be added, removed or changed. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change))
    }
    row = next
  }
  return row[b.length] as number
}
