/** The part of an object that a request wants: all of it, a part (`end` excluded), or one that does not exist. */
export type RangeRequest =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' }

/**
 * A `Range` header of one range of bytes: `bytes=0-99`, `bytes=100-`, `bytes=-16`. Several ranges at once are never
 * satisfiable here: otherwise one short request could ask for the same bytes a thousand times.
 */
export function parseRange(header: string | undefined, size: number): RangeRequest {
  if (header === undefined || !/^bytes=/i.test(header)) return { kind: 'whole' }
  const match = /^bytes=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header)
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return { kind: 'unsatisfiable' }
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1)
  return start < end ? { kind: 'part', start, end } : { kind: 'unsatisfiable' }
}
