/*
 * Random numbers as a function of position. They are the same on every machine, because only 32-bit integers and the
 * operations that IEEE 754 rounds exactly (+ − × ÷ and the square root) are used.
 */

/** 32 well mixed bits from up to four integers (MurmurHash3's steps). */
export function hashBits(seed: number, a: number, b = 0, c = 0): number {
  let hash = Math.imul(seed ^ 0x27d4eb2f, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15) ^ Math.imul(a, 0xcc9e2d51), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13) ^ Math.imul(b, 0x1b873593), 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 16) ^ Math.imul(c, 0x165667b1), 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A number from 0 to 1, excluding 1. */
export const hashUnit = (seed: number, a: number, b = 0, c = 0): number => hashBits(seed, a, b, c) / 4294967296

const ease = (t: number): number => t * t * (3 - 2 * t)

const mix = (a: number, b: number, t: number): number => a + (b - a) * t

/** Smooth noise along a line, −1 to 1, with an independent value at each integer. */
export function lineNoise(seed: number, at: number): number {
  const cell = Math.floor(at)
  return 2 * mix(hashUnit(seed, cell), hashUnit(seed, cell + 1), ease(at - cell)) - 1
}

/** Smooth noise in space, −1 to 1, with an independent value at each point with integer coordinates. */
export function spaceNoise(seed: number, z: number, y: number, x: number): number {
  const k = Math.floor(z)
  const tz = z - k
  const below = planeNoise(seed, k, y, x)
  return 2 * (tz === 0 ? below : mix(below, planeNoise(seed, k + 1, y, x), ease(tz))) - 1
}

function planeNoise(seed: number, plane: number, y: number, x: number): number {
  const row = Math.floor(y)
  const column = Math.floor(x)
  const tx = ease(x - column)
  return mix(
    mix(hashUnit(seed, plane, row, column), hashUnit(seed, plane, row, column + 1), tx),
    mix(hashUnit(seed, plane, row + 1, column), hashUnit(seed, plane, row + 1, column + 1), tx),
    ease(y - row),
  )
}
