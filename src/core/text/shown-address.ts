const SCHEME = /https?:\/\//gi
const QUERY_OR_LINE_END = /[?\n]/g
const QUERY_END = /[\s"<>\\]|$/g
const USER = /(https?:\/\/)[^\s/?#@"]*@/gi

/**
 * A text as it may be shown and kept: the queries of its web addresses are secrets, since they contain signatures, and so are names and
 * passwords in front of the host. `https://host/raw?X-Amz-Signature=1a2b` becomes `https://host/raw?…`.
 */
export const hideQueries = (text: string): string => replaceQueries(text, () => '…')

/** As {@link hideQueries}, but different queries remain different. Applied twice, it changes nothing more. */
export const markQueries = (text: string): string =>
  replaceQueries(text, (query) => (/^…[0-9a-f]{8}$/.test(query) ? query : `…${hashOf(query)}`))

/** A JSON value in which every text has been replaced, also the names of fields. */
export function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map((part) => mapTexts(part, map))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [map(name), mapTexts(part, map)]))
}

/** Takes a time that is proportional to the length: the text may be anything that a task throws. */
function replaceQueries(text: string, replace: (query: string) => string): string {
  let shown = ''
  let rest = 0
  for (let start = find(SCHEME, text, 0); start >= 0; start = find(SCHEME, text, rest)) {
    // The path may contain spaces.
    const mark = find(QUERY_OR_LINE_END, text, start)
    if (mark < 0) break
    const end = text[mark] === '?' ? find(QUERY_END, text, mark + 1) : mark + 1
    shown += text.slice(rest, mark + 1) + (end > mark + 1 ? replace(text.slice(mark + 1, end)) : '')
    rest = end
  }
  return (shown + text.slice(rest)).replace(USER, '$1…@')
}

function find(pattern: RegExp, text: string, from: number): number {
  pattern.lastIndex = from
  return pattern.exec(text)?.index ?? -1
}

/** FNV-1a, 32 bits: enough to tell addresses apart, too little to find out what they were. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}
