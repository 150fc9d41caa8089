/** Decisions that a seed makes: the same in every program that is started with it. */
export interface Chance {
  /** A number from 0 to 1, without 1. */
  next(): number
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  pick<T>(from: readonly T[]): T
  happens(probability: number): boolean
  /** Further decisions that do not depend on how many were made here. */
  fork(name: string): Chance
}

/** @param seed any text */
export function chanceOf(seed: string): Chance {
  let state = hashText(seed)
  // Mulberry32.
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    pick: (from) => {
      if (from.length === 0) throw new Error('there is nothing to pick from')
      return from[between(0, from.length - 1)]!
    },
    happens: (probability) => next() < probability,
    fork: (name) => chanceOf(`${seed}/${name}`),
  }
}

/** FNV-1a. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) as number), 0x01000193) >>> 0
  return hash
}
