import { ConfigError } from '../errors.ts'

/** What a list of blocks names: a block of a task, a block of the only task, or a region. */
export type ListedBlocks =
  | { readonly task?: string; readonly index: number; readonly at: string }
  | { readonly roi: string; readonly at: string }

const NUMBER = /^\d+$/
const NAMED = /^(.+)\/(\d+)$/
const REGION = /^[\d\s.,:+-]+$/

/** Whether a text looks like a region, in nm or in voxels. */
export const isRegion = (text: string): boolean => text.includes(':') && REGION.test(text)

/**
 * Parses a list of blocks: lines or a JSON array, each entry a block `task/index`, an index, or a region. Objects of JSON name their block
 * as failures do (`block`), or their `roi`; an object of lists has the ids of tasks as its keys.
 * @param name of the list, for errors
 * @throws ConfigError `INVALID_CONFIG`
 */
export function parseBlockList(text: string, name: string): ListedBlocks[] {
  const trimmed = text.trim()
  const listed = /^[[{]/.test(trimmed) ? fromJson(trimmed, name) : fromLines(text, name)
  if (listed.length > 0) return listed
  throw new ConfigError('INVALID_CONFIG', `${name} lists no block; ${EXPECTED}.`)
}

const EXPECTED = 'expected one block (task/index, or its index) or one region (offset:shape in nm, or voxels) per line'

function fromLines(text: string, name: string): ListedBlocks[] {
  return text.split('\n').flatMap((line, number) => {
    const entry = line.replace(/#.*/, '').trim()
    return entry === '' ? [] : [parseEntry(entry, `${name}, line ${number + 1}`)]
  })
}

function fromJson(text: string, name: string): ListedBlocks[] {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch (error) {
    throw new ConfigError('INVALID_CONFIG', `${name} is not JSON: ${(error as Error).message}.`, { cause: error })
  }
  if (Array.isArray(found)) return found.map((entry, number) => parseEntry(entry, `${name}, entry ${number + 1}`))
  return Object.entries(found as object).flatMap(([task, entries]) => {
    if (!Array.isArray(entries))
      throw new ConfigError('INVALID_CONFIG', `${name}: "${task}" is not a list of blocks; ${EXPECTED}.`)
    return entries.map((entry, number) => {
      const parsed = parseEntry(entry, `${name}, entry ${number + 1} of "${task}"`)
      return 'index' in parsed ? { task, ...parsed } : parsed
    })
  })
}

function parseEntry(entry: unknown, at: string): ListedBlocks {
  const value = namedBy(entry)
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : ''
  if (NUMBER.test(text)) return { index: Number(text), at }
  const [, task, index] = NAMED.exec(text) ?? []
  if (task !== undefined) return { task, index: Number(index), at }
  if (isRegion(text)) return { roi: text, at }
  const shown = JSON.stringify(typeof entry === 'string' && entry.length > 80 ? `${entry.slice(0, 80)}…` : entry)
  throw new ConfigError('INVALID_CONFIG', `${at}: ${shown}: ${EXPECTED}.`)
}

const namedBy = (entry: unknown): unknown => {
  if (typeof entry !== 'object' || entry === null) return entry
  const { block, roi, index } = entry as { readonly block?: unknown; readonly roi?: unknown; readonly index?: unknown }
  return block ?? roi ?? index
}
