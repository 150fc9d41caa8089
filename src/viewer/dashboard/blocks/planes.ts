/** The two axes of a grid that a section shows. */
export interface Plane {
  readonly name: string
  readonly down: number
  readonly across: number
}

const LETTERS = ['z', 'y', 'x']

/** The names of the axes of a grid; the last three are z, y, x. */
export const axisNames = (rank: number): string[] =>
  Array.from({ length: rank }, (_, axis) => LETTERS[axis - rank + 3] ?? `d${axis}`)

/** The planes along which a grid can be cut. */
export function planesOf(rank: number): Plane[] {
  if (rank < 3) return [{ name: rank === 1 ? 'x' : 'xy', down: rank - 2, across: rank - 1 }]
  const [z, y, x] = [rank - 3, rank - 2, rank - 1]
  return [
    { name: 'xy', down: y, across: x },
    { name: 'xz', down: z, across: x },
    { name: 'yz', down: y, across: z },
  ]
}
