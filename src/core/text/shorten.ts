/** A text of at most `most` characters: a longer one ends in "…". */
export const shorten = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, Math.max(0, most - 1))}…` : text
