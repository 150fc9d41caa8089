/** A text of at most `most` characters: a longer one ends in "…". */
export const shorten = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, Math.max(0, most - 1))}…` : text

/**
 * A path or another text that takes at most `most` columns: of a longer one, start and end are left, with "…" between them; its end, which
 * tells it from others, gets more room.
 * @param columnsOf how many columns a text takes
 */
export function shortenMiddle(text: string, most: number, columnsOf: (text: string) => number): string {
  if (columnsOf(text) <= most) return text
  const signs = [...text]
  let [start, end] = [0, signs.length]
  const part = () => `${signs.slice(0, start).join('')}…${signs.slice(end).join('')}`
  for (;;) {
    const isStart = 2 * start < signs.length - end
    const before = [start, end] as const
    if (isStart) start++
    else end--
    if (start < end && columnsOf(part()) <= most) continue
    ;[start, end] = before
    return part()
  }
}
