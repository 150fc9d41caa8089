import { mutateJson } from './mutate-json.ts'
import type { Random } from './random.ts'

/** What the inputs of a target are; only how they are changed depends on it. */
export type InputKind = 'bytes' | 'text' | 'json'

export interface Mutation {
  readonly kind: InputKind
  /** Words that mean something to the parser. */
  readonly dictionary: readonly Uint8Array[]
  /** Longest input. */
  readonly maxLength: number
}

/** Lengths, counts and offsets at which parsers go wrong. */
const NUMBERS = [0n, 1n, 2n, 3n, 4n, 7n, 8n, 15n, 16n, 31n, 32n, 63n, 64n, 127n, 128n, 255n, 256n, 4095n, 4096n]
const EDGES = [2n ** 15n, 2n ** 16n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n].flatMap((edge) => [edge - 1n, edge])
const LENGTHS = [...NUMBERS, ...EDGES, 2n ** 64n - 1n, 2n ** 64n - 2n]

type Change = (input: Uint8Array, random: Random, others: readonly Uint8Array[], mutation: Mutation) => Uint8Array

/** An input that differs from `input` by one to four changes. @param others inputs to take parts from */
export function mutate(
  input: Uint8Array,
  random: Random,
  others: readonly Uint8Array[],
  mutation: Mutation,
): Uint8Array {
  let changed = input
  for (let left = 1 + random.below(4); left > 0; left--) {
    const isByTree = mutation.kind === 'json' && random.below(10) < 7
    const tree = isByTree ? mutateJson(changed, random, others) : undefined
    changed = tree ?? random.pick(CHANGES)(changed, random, others, mutation)
  }
  return changed.subarray(0, mutation.maxLength)
}

const place = (input: Uint8Array, random: Random): number => random.below(input.length + 1)

function replaced(input: Uint8Array, at: number, length: number, by: Uint8Array): Uint8Array {
  const tail = input.subarray(Math.min(input.length, at + length))
  const result = new Uint8Array(at + by.length + tail.length)
  result.set(input.subarray(0, at))
  result.set(by, at)
  result.set(tail, at + by.length)
  return result
}

/** A part of an input, mostly a short one. */
function partOf(input: Uint8Array, random: Random): Uint8Array {
  const length = 1 + random.below(random.below(4) === 0 ? input.length + 1 : Math.min(16, input.length + 1))
  const at = random.below(Math.max(1, input.length - length + 1))
  return input.subarray(at, at + length)
}

const CHANGES: readonly Change[] = [
  function flipBit(input, random) {
    if (input.length === 0) return Uint8Array.of(random.below(256))
    const result = input.slice()
    result[random.below(result.length)]! ^= 1 << random.below(8)
    return result
  },
  function setByte(input, random) {
    const value = random.pick([0, 1, 0x7f, 0x80, 0xff, 0x20, 0x22, random.below(256)])
    return replaced(input, place(input, random), 1, Uint8Array.of(value))
  },
  function setNumber(input, random) {
    const bytes = random.pick([1, 2, 4, 8])
    const value = random.pick(LENGTHS) + BigInt(random.below(3) - 1)
    const number = new Uint8Array(8)
    new DataView(number.buffer).setBigUint64(0, BigInt.asUintN(64, value), true)
    const ordered = random.below(4) === 0 ? number.slice(0, bytes).reverse() : number.subarray(0, bytes)
    return replaced(input, place(input, random), random.below(4) === 0 ? 0 : bytes, ordered)
  },
  function setDigits(input, random) {
    const digits = random.pick([String(random.pick(LENGTHS)), '1e308', '-0', '1e-400', '.5', '9'.repeat(40)])
    return replaced(input, place(input, random), random.below(4), new TextEncoder().encode(digits))
  },
  (input, random) => replaced(input, place(input, random), 1 + random.below(8), new Uint8Array(0)),
  (input, random) => input.subarray(0, place(input, random)),
  (input, random) => replaced(input, place(input, random), 0, partOf(input, random)),
  function repeatPart(input, random) {
    const part = partOf(input, random)
    const times = random.pick([2, 8, 64, 512])
    const many = new Uint8Array(Math.min(8192, part.length * times))
    for (let at = 0; at < many.length; at += part.length) many.set(part.subarray(0, many.length - at), at)
    return replaced(input, place(input, random), 0, many)
  },
  function splice(input, random, others) {
    const part = partOf(random.pick(others), random)
    return replaced(input, place(input, random), random.below(2) === 0 ? 0 : part.length, part)
  },
  function cross(input, random, others) {
    const other = random.pick(others)
    const start = input.subarray(0, place(input, random))
    return replaced(start, start.length, 0, other.subarray(place(other, random)))
  },
  function insertWord(input, random, _, { dictionary }) {
    if (dictionary.length === 0) return input
    const word = random.pick(dictionary)
    return replaced(input, place(input, random), random.below(2) === 0 ? 0 : word.length, word)
  },
]
