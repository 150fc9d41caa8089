import { isFloat, type TypedArray } from '../voxels.ts'
import { evaluateCompiled } from './compiled-expression.ts'
import {
  asReal,
  BATCH,
  bigLoop,
  constant,
  type Evaluator,
  realLoop,
  variable,
  wholeConstant,
} from './expression-loops.ts'
import { arithmetic, call, choice, comparison } from './expression-operations.ts'
import { childrenOf, type ExpressionNode, variablesOf } from './expression-syntax.ts'
import { storeWhole } from './rounding.ts'

/**
 * Whether an expression is true or false for each voxel: a comparison, a logical operation, `isnan`, or a choice of these.
 * @example isLogical(parseExpression('x > 1')) // true
 */
export function isLogical(node: ExpressionNode): boolean {
  if (node.kind === 'choice') return isLogical(node.then) && isLogical(node.otherwise)
  return ['truth', 'comparison', 'logic', 'not'].includes(node.kind) || (node.kind === 'call' && node.name === 'isnan')
}

/**
 * Whether the values of an expression may have fractions.
 * @param isFloat whether a variable may have fractions
 * @example mayGiveFractions(parseExpression('x / 2'), () => false) // true
 */
export function mayGiveFractions(node: ExpressionNode, isFloat: (name: string) => boolean): boolean {
  const within = (nodes: readonly ExpressionNode[]) => nodes.some((child) => mayGiveFractions(child, isFloat))
  switch (node.kind) {
    case 'number':
      return !Number.isInteger(node.value)
    case 'variable':
      return isFloat(node.name)
    case 'call':
      if (['exp', 'log', 'sqrt'].includes(node.name)) return true
      return !['ceil', 'floor', 'isnan', 'round', 'sign'].includes(node.name) && within(node.args)
    case 'arithmetic':
      if (node.operator === '//') return false
      if (node.operator === '/' || (node.operator === '**' && node.right.kind === 'negative')) return true
      return within(childrenOf(node))
    case 'choice':
      return within([node.then, node.otherwise])
    case 'negative':
      return within([node.of])
    default:
      return false
  }
}

/**
 * Evaluates an expression for every voxel. Numbers are float64. If a variable is an array of 64-bit integers, whole numbers
 * are exact, of any size, unless an operation may give a fraction. `//` rounds down and `%` has the sign of its right side, as in
 * NumPy; for 64-bit integers both give 0 if the right side is 0. True is 1, false is 0.
 *
 * For an `out` of integers, results are rounded to the nearest integer, halves to the even one, and clipped to the range of the
 * type; NaN becomes 0.
 *
 * @param variables arrays of one length, by name
 * @param out memory for the result, of the same length
 * @param options.isBool `out` is bool: 1 for every value that is not 0. @default false
 * @returns `out`
 * @throws RangeError for a variable that is not given, and for arrays of different lengths
 * @example evaluateExpression(parseExpression('x > 1'), { x: Float32Array.of(0, 2) }, new Uint8Array(2)) // [0, 1]
 */
export function evaluateExpression<Out extends TypedArray>(
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: Out,
  { isBool = false }: { readonly isBool?: boolean } = {},
): Out {
  for (const name of variablesOf(expression)) {
    if (!Object.hasOwn(variables, name)) fail(`The variable "${name}" is not given; pass an array for it.`)
    const { length } = variables[name] as TypedArray
    if (length !== out.length)
      fail(`"${name}" has ${length} voxels, but the result has ${out.length}; pass arrays of one length.`)
  }
  // Looking up bytes is as fast as the simplest code, and some functions take longer than looking up any result.
  const isTableFirst = areBytes(expression, variables, out) || callsFunctions(expression)
  const ways = isTableFirst
    ? [fillFromTable, evaluateCompiled, interpret]
    : [evaluateCompiled, fillFromTable, interpret]
  ways.some((way) => way(expression, variables, out, isBool))
  return out
}

const areBytes = (
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: TypedArray,
): boolean =>
  out instanceof Uint8Array && [...variablesOf(expression)].every((name) => variables[name]?.BYTES_PER_ELEMENT === 1)

/** Whether an expression has an operation that is no instruction of WebAssembly. */
const callsFunctions = (node: ExpressionNode): boolean =>
  (node.kind === 'call' && (node.name === 'exp' || node.name === 'log')) ||
  (node.kind === 'arithmetic' && (node.operator === '**' || node.operator === '%')) ||
  childrenOf(node).some(callsFunctions)

/** Up to this many values of a type, each is evaluated once. */
const TABLE_BITS = 16

/** Of one array of 8- or 16-bit integers, evaluates each value that there can be. @returns false if that would take longer */
function fillFromTable(
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: TypedArray,
  isBool: boolean,
): boolean {
  const [name, ...others] = variablesOf(expression)
  if (name === undefined || others.length > 0) return false
  const data = variables[name] as TypedArray
  const bits = 8 * data.BYTES_PER_ELEMENT
  if (!/int/i.test(data[Symbol.toStringTag]) || bits > TABLE_BITS || out.length < 2 ** bits) return false
  const table = tableOf(expression, name, data, out, isBool)
  const places = bits === 8 ? asUnsigned(Uint8Array, data) : asUnsigned(Uint16Array, data)
  if (places instanceof Uint8Array && out instanceof Uint8Array) lookUpBytes(places, table as Uint8Array, out)
  else for (let i = 0; i < places.length; i++) out[i] = table[places[i]!] as never
  return true
}

interface Table {
  readonly from: unknown
  readonly isBool: boolean
  readonly results: TypedArray
}

/** The table that was used last for an expression: blocks follow each other, and all have the same types. */
const tables = new WeakMap<ExpressionNode, Table>()

/** The results for all values of the type of `data`, in the type of `out`, in the order of the same bits without a sign. */
function tableOf(
  expression: ExpressionNode,
  name: string,
  data: TypedArray,
  out: TypedArray,
  isBool: boolean,
): TypedArray {
  const known = tables.get(expression)
  const [from, to] = [data.constructor, out.constructor]
  if (known?.from === from && known.results.constructor === to && known.isBool === isBool) return known.results
  const unsigned = Array.from({ length: 2 ** (8 * data.BYTES_PER_ELEMENT) }, (_, value) => value)
  const values = new (from as new (values: readonly number[]) => TypedArray)(unsigned)
  const results = new (to as new (length: number) => TypedArray)(values.length)
  interpret(expression, { [name]: values }, results, isBool)
  tables.set(expression, { from, isBool, results })
  return results
}

const asUnsigned = <Unsigned>(
  type: new (buffer: ArrayBufferLike, offset: number, length: number) => Unsigned,
  { buffer, byteOffset, length }: TypedArray,
): Unsigned => new type(buffer, byteOffset, length)

/** Apart, so that it is compiled for bytes alone. */
function lookUpBytes(places: Uint8Array, table: Uint8Array, out: Uint8Array): void {
  for (let i = 0; i < places.length; i++) out[i] = table[places[i]!]!
}

/** Evaluates an expression in plain TypeScript: what compiled expressions are compared with. @returns true */
export function interpret(
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: TypedArray,
  isBool: boolean,
): true {
  const root = evaluatorOf(expression, variables)
  for (let at = 0; at < out.length; at += BATCH) {
    const count = Math.min(BATCH, out.length - at)
    if (root.type === 'big') storeBig(root.run(at, count), out, at, count, isBool)
    else storeReal(root.run(at, count), out, at, count, isBool)
  }
  return true
}

function fail(message: string): never {
  throw new RangeError(message)
}

function evaluatorOf(node: ExpressionNode, variables: Readonly<Record<string, TypedArray>>): Evaluator {
  const of = (child: ExpressionNode) => evaluatorOf(child, variables)
  switch (node.kind) {
    case 'number':
      return constant(node.value, node.whole)
    case 'truth':
      return { type: 'truth', run: constant(node.value ? 1 : 0).run as () => Float64Array }
    case 'variable':
      return variable(variables[node.name] as TypedArray)
    case 'negative': {
      const value = of(node.of)
      if (value.type === 'real' && value.whole !== undefined) return wholeConstant(-value.whole)
      if (value.type === 'big') return bigLoop([value], ([a]) => -(a as bigint))
      return realLoop('real', [value], ([a], into, count) => {
        for (let i = 0; i < count; i++) into[i] = -a![i]!
      })
    }
    case 'not':
      return realLoop('truth', [asReal(of(node.of))], ([a], into, count) => {
        for (let i = 0; i < count; i++) into[i] = a![i] === 0 ? 1 : 0
      })
    case 'logic':
      return realLoop('truth', [asReal(of(node.left)), asReal(of(node.right))], ([a, b], into, count) => {
        const isAnd = node.operator === '&&'
        for (let i = 0; i < count; i++) {
          into[i] = (isAnd ? a![i] !== 0 && b![i] !== 0 : a![i] !== 0 || b![i] !== 0) ? 1 : 0
        }
      })
    case 'comparison':
      return comparison(node.operator, of(node.left), of(node.right))
    case 'arithmetic':
      return arithmetic(node.operator, of(node.left), of(node.right))
    case 'choice':
      return choice(of(node.condition), of(node.then), of(node.otherwise))
    case 'call':
      return call(node.name, node.args.map(of))
    default:
      return node satisfies never
  }
}

function storeReal(values: Float64Array, out: TypedArray, at: number, count: number, isBool: boolean): void {
  if (isBool) for (let i = 0; i < count; i++) out[at + i] = values[i] !== 0 ? 1 : 0
  else if (isFloat(out)) {
    ;(out as Float64Array).set(values.subarray(0, count), at)
  } else storeWhole(values, out, at, count)
}

function storeBig(values: readonly bigint[], out: TypedArray, at: number, count: number, isBool: boolean): void {
  if (isBool) for (let i = 0; i < count; i++) out[at + i] = values[i] !== 0n ? 1 : 0
  else if (isFloat(out)) for (let i = 0; i < count; i++) out[at + i] = Number(values[i])
  else storeWhole(values, out, at, count)
}
