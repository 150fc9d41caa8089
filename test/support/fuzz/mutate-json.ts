import type { Random } from './random.ts'

type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree }
/** A value in a tree, and where it is. */
interface Place {
  readonly parent: Tree[] | { [key: string]: Tree }
  readonly key: string | number
}

const VALUES: readonly (() => Tree)[] = [
  ...[null, true, false, 0, -1, 1, 0.5, -0.5, 2 ** 31, 2 ** 53, -(2 ** 60), 1e308, 5e-324].map((value) => () => value),
  ...['', '0', '-1', 'NaN', 'Infinity', '0x7fc00000', '__proto__', 'constructor', '../..', '/', '\u0000'].map(
    (value) => () => value,
  ),
  () => 'x'.repeat(2000),
  () => [],
  () => ({}),
  () => [null],
  () => Array<Tree>(300).fill(1),
  () => {
    let deep: Tree = []
    for (let depth = 0; depth < 100; depth++) deep = [deep]
    return deep
  },
]

/** Changes one value of a JSON document. @returns undefined for bytes that are none */
export function mutateJson(input: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array | undefined {
  const tree = parse(input)
  if (tree === undefined) return undefined
  const places = placesIn(tree)
  if (places.length === 0) return undefined
  const { parent, key } = random.pick(places)
  const list = parent as Record<string | number, Tree>
  switch (random.below(6)) {
    case 0:
      if (Array.isArray(parent)) parent.splice(Number(key), 1)
      else delete list[key]
      break
    case 1:
      if (Array.isArray(parent)) parent.push(structuredClone(list[key]!))
      else set(list, random.pick([...Object.keys(parent), '', '__proto__', 'toString']), list[key]!)
      break
    case 2: {
      const other = parse(random.pick(others))
      const from = other === undefined ? [] : placesIn(other)
      if (from.length > 0) set(list, key, valueAt(random.pick(from)))
      break
    }
    case 3:
      set(list, key, structuredClone(valueAt(random.pick(places))))
      break
    default:
      set(list, key, nudged(list[key]!, random))
  }
  return new TextEncoder().encode(JSON.stringify(tree))
}

function nudged(value: Tree, random: Random): Tree {
  if (typeof value === 'number' && random.below(2) === 0) return value + random.pick([-1, 1, 0.5, value, -2 * value])
  if (typeof value === 'string' && random.below(2) === 0) return value.slice(0, random.below(value.length + 1))
  return random.pick(VALUES)()
}

const valueAt = ({ parent, key }: Place): Tree => (parent as Record<string | number, Tree>)[key]!

/** An assignment to `__proto__` would not make a property. */
const set = (list: Record<string | number, Tree>, key: string | number, value: Tree): void => {
  Object.defineProperty(list, key, { value, configurable: true, enumerable: true, writable: true })
}

function placesIn(tree: Tree, found: Place[] = []): Place[] {
  if (typeof tree !== 'object' || tree === null || found.length > 2000) return found
  for (const key of Object.keys(tree)) {
    found.push({ parent: tree, key })
    placesIn((tree as Record<string, Tree>)[key]!, found)
  }
  return found
}

function parse(input: Uint8Array): Tree | undefined {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(input)) as Tree
  } catch {
    return undefined
  }
}
