import { instantiate, type KernelModule, PAGE } from '../kernel-module.ts'
import type { TypedArray } from '../voxels.ts'
import { type ExpressionNode, variablesOf } from './expression-syntax.ts'
import { VectorCode } from './vector-code.ts'
import { bytesOfKind, type Kind, kindOf, loadEight, storeEight } from './vector-memory.ts'
import { NotCompiled, type VectorNode, VectorNodes } from './vector-nodes.ts'
import { fitsInto64, type Ranges, rangesOf } from './whole-ranges.ts'

/** An expression as WebAssembly, for arrays of certain types. */
interface CompiledExpression {
  readonly memory: KernelModule['memory']
  run(count: number): void
  /** Where each array starts, by name. */
  readonly bases: ReadonlyMap<string, number>
  readonly outBase: number
  /** Whether all intermediate integers fit into 64 bits, with their signs. */
  fits(ranges: Ranges): boolean
}

/** Voxels that are in the module's memory at a time. */
const BATCH = 4096
/** For fewer voxels, compiling takes longer than evaluating. */
const FEWEST = 2 * BATCH
/** The code of every node is written four times, once for each pair of voxels. */
const LONGEST_CODE = 2 ** 16
const START = 1024

/** Functions that have no instruction. */
const UNARY = { exp: Math.exp, log: Math.log }
const BINARY = {
  power: (a: number, b: number) => a ** b,
  rest: (a: number, b: number) => {
    const rest = a % b
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest
  },
}
const FUNCTIONS = [...Object.keys(UNARY), ...Object.keys(BINARY)]

/** What was compiled, by expression and types; undefined for what can't be. */
const compiled = new WeakMap<ExpressionNode, Map<string, CompiledExpression | undefined>>()

/**
 * Evaluates an expression in WebAssembly, two voxels at a time, as `evaluateExpression` describes.
 * @returns false if there are fewer than `fewest` voxels, this expression can't be compiled for these arrays, or may have numbers of
 * more than 64 bits
 */
export function evaluateCompiled(
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: TypedArray,
  isBool: boolean,
  fewest = FEWEST,
): boolean {
  if (out.length < fewest) return false
  const names = [...variablesOf(expression)]
  const used = Object.fromEntries(names.map((name) => [name, variables[name] as TypedArray]))
  const found = compiledFor(expression, used, out, isBool)
  if (found === undefined || !found.fits(rangesOf(used))) return false
  const bytes = new Uint8Array(found.memory.buffer)
  const inputs = names.map((name) => ({ from: used[name] as TypedArray, base: found.bases.get(name) as number }))
  for (let at = 0; at < out.length; at += BATCH) {
    const count = Math.min(BATCH, out.length - at)
    for (const { from, base } of inputs) bytes.set(bytesBetween(from, at, count), base)
    found.run(count)
    const to = bytesBetween(out, at, count)
    to.set(bytes.subarray(found.outBase, found.outBase + to.length))
  }
  return true
}

const bytesBetween = ({ buffer, byteOffset, BYTES_PER_ELEMENT: size }: TypedArray, at: number, count: number) =>
  new Uint8Array(buffer, byteOffset + at * size, count * size)

function compiledFor(
  expression: ExpressionNode,
  used: Readonly<Record<string, TypedArray>>,
  out: TypedArray,
  isBool: boolean,
): CompiledExpression | undefined {
  const kinds = new Map(Object.entries(used).map(([name, data]) => [name, kindOf(data)]))
  const outKind = kindOf(out)
  if (outKind === undefined || ![...kinds.values()].every((kind) => kind !== undefined)) return undefined
  const key = [...kinds, outKind, isBool].join()
  let known = compiled.get(expression)
  if (known === undefined) compiled.set(expression, (known = new Map()))
  if (!known.has(key)) known.set(key, compile(expression, kinds as Map<string, Kind>, outKind, isBool))
  return known.get(key)
}

function compile(
  expression: ExpressionNode,
  kinds: ReadonlyMap<string, Kind>,
  outKind: Kind,
  isBool: boolean,
): CompiledExpression | undefined {
  const code = new VectorCode()
  const bases = new Map<string, number>()
  const variables = new Map<string, VectorNode>()
  let end = START
  for (const [name, kind] of kinds) {
    const locals = loadEight(code, kind, end)
    const emit = (pair: number) => code.get(locals[pair] as number)
    const range = (ranges: Ranges) => ranges.get(name) as [bigint, bigint]
    variables.set(name, kind.startsWith('Big') ? { type: 'big', emit, range } : { type: 'real', emit })
    bases.set(name, end)
    end += BATCH * bytesOfKind(kind)
  }
  const outBase = end
  end += BATCH * bytesOfKind(outKind)
  const nodes = new VectorNodes(code, variables, (name) => FUNCTIONS.indexOf(name))
  try {
    const root = nodes.of(expression)
    storeEight(code, nodes, root, { kind: outKind, base: outBase, isBool })
  } catch (error) {
    if (error instanceof NotCompiled) return undefined
    throw error
  }
  if (code.length > LONGEST_CODE) return undefined
  const bytes = code.module(Math.ceil(end / PAGE), { unary: Object.keys(UNARY), binary: Object.keys(BINARY) })
  const { memory, run } = instantiate<KernelModule & { run(count: number): void }>(bytes, {
    math: { ...UNARY, ...BINARY },
  })
  const inputs = [...variables].flatMap(([, node]) => (node.type === 'big' ? [node] : []))
  return {
    memory,
    run,
    bases,
    outBase,
    fits: (ranges) => [...inputs, ...nodes.bigs].every((node) => fitsInto64(node.range(ranges))),
  }
}
