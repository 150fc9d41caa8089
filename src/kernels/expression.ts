import { childrenOf, type ExpressionNode, type FunctionName, variablesOf } from './expression-syntax.ts'
import { roundHalfToEven, storeWhole } from './rounding.ts'
import type { TypedArray } from './voxels.ts'

// Evaluated by pieces: every node of the tree does a piece of voxels in one loop, which is as fast as a loop written for the
// expression, and needs no code to be generated.
const PIECE = 4096

/** What a node gives for a piece of voxels: numbers as float64 (true is 1), or whole numbers of any size. */
type Evaluator =
  | { readonly type: 'real'; readonly whole?: bigint; run(at: number, count: number): Float64Array }
  | { readonly type: 'truth'; run(at: number, count: number): Float64Array }
  | { readonly type: 'big'; run(at: number, count: number): bigint[] }

/** Whether an expression says of each voxel yes or no. */
export function isLogical(node: ExpressionNode): boolean {
  if (node.kind === 'choice') return isLogical(node.then) && isLogical(node.otherwise)
  return ['truth', 'comparison', 'logic', 'not'].includes(node.kind) || (node.kind === 'call' && node.name === 'isnan')
}

/**
 * Whether an expression may give fractions where its variables are whole numbers.
 * @param isFloat whether a variable holds fractions
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
 * Evaluates an expression for every voxel. Numbers are float64; where a variable is an array of 64-bit integers, whole numbers
 * are exact, of any size, until a fraction comes in. `//` rounds down and `%` has the sign of its right side, as in NumPy;
 * of 64-bit integers, both are 0 where the right side is. What is true is 1.
 *
 * Into integers, the result is rounded to the nearest, halves to the even one, and cut to the range of the type; NaN becomes 0.
 *
 * @param variables arrays of one length
 * @param out where the result goes, as long as they are
 * @param options.isBool `out` holds bool: 1 for all that is not 0. @default false
 * @returns `out`
 * @throws RangeError for a variable that is not given, and for arrays of several lengths
 */
export function evaluateExpression<Out extends TypedArray>(
  expression: ExpressionNode,
  variables: Readonly<Record<string, TypedArray>>,
  out: Out,
  { isBool = false }: { readonly isBool?: boolean } = {},
): Out {
  for (const name of variablesOf(expression)) {
    if (!Object.hasOwn(variables, name)) fail(`There is no variable "${name}".`)
    const { length } = variables[name] as TypedArray
    if (length !== out.length) fail(`"${name}" has ${length} voxels, and the result ${out.length}.`)
  }
  const root = evaluatorOf(expression, variables)
  for (let at = 0; at < out.length; at += PIECE) {
    const count = Math.min(PIECE, out.length - at)
    if (root.type === 'big') storeBig(root.run(at, count), out, at, count, isBool)
    else storeReal(root.run(at, count), out, at, count, isBool)
  }
  return out
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

type Real = Extract<Evaluator, { run(at: number, count: number): Float64Array }>
type Big = Extract<Evaluator, { type: 'big' }>

function constant(value: number, whole?: bigint): Real {
  const values = new Float64Array(PIECE).fill(value)
  return { type: 'real', ...(whole === undefined ? {} : { whole }), run: () => values }
}

const wholeConstant = (value: bigint): Real => constant(Number(value), value)

/** The values of whole numbers that are written as such; undefined where one of them is not. */
function wholesOf(values: readonly Evaluator[]): bigint[] | undefined {
  const wholes = values.flatMap((value) => (value.type === 'real' && value.whole !== undefined ? [value.whole] : []))
  return wholes.length === values.length ? wholes : undefined
}

function variable(data: TypedArray): Evaluator {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return { type: 'big', run: (at, count) => Array.from(data.subarray(at, at + count)) }
  }
  const values = new Float64Array(PIECE)
  return {
    type: 'real',
    run(at, count) {
      values.set(data.subarray(at, at + count))
      return values
    },
  }
}

/** A node whose loop writes into memory of its own, which it uses for every piece again. */
function realLoop(
  type: 'real' | 'truth',
  operands: readonly Evaluator[],
  loop: (values: readonly Float64Array[], into: Float64Array, count: number) => void,
): Real {
  const into = new Float64Array(PIECE)
  const reals = operands.map(asReal)
  return {
    type,
    run(at, count) {
      loop(
        reals.map((operand) => operand.run(at, count)),
        into,
        count,
      )
      return into
    },
  }
}

const bigLoop = (operands: readonly Big[], operation: (values: readonly bigint[]) => bigint): Big => ({
  type: 'big',
  run(at, count) {
    const values = operands.map((operand) => operand.run(at, count))
    return Array.from({ length: count }, (_, i) => operation(values.map((value) => value[i] as bigint)))
  },
})

function asReal(value: Evaluator): Real {
  if (value.type !== 'big') return value
  const into = new Float64Array(PIECE)
  return {
    type: 'real',
    run(at, count) {
      for (const [i, big] of value.run(at, count).entries()) into[i] = Number(big)
      return into
    },
  }
}

/** As whole numbers of any size; undefined for what may be a fraction. */
function asBig(value: Evaluator): Big | undefined {
  if (value.type === 'big') return value
  if (value.type === 'truth') {
    return { type: 'big', run: (at, count) => Array.from(value.run(at, count).subarray(0, count), BigInt) }
  }
  const { whole } = value
  return whole === undefined ? undefined : { type: 'big', run: (_, count) => new Array<bigint>(count).fill(whole) }
}

/** All as whole numbers of any size, where one of them is such and none may be a fraction. */
function allBig(values: readonly Evaluator[]): Big[] | undefined {
  if (!values.some(({ type }) => type === 'big')) return undefined
  const bigs = values.map(asBig)
  return bigs.every((big) => big !== undefined) ? bigs : undefined
}

function comparison(operator: string, left: Evaluator, right: Evaluator): Real {
  const compare = <Value extends number | bigint>(
    a: ArrayLike<Value>,
    b: ArrayLike<Value>,
    into: Float64Array,
    count: number,
  ): void => {
    // One loop each: a test of the operator for every voxel would take longer than the comparison.
    if (operator === '<') for (let i = 0; i < count; i++) into[i] = a[i]! < b[i]! ? 1 : 0
    else if (operator === '<=') for (let i = 0; i < count; i++) into[i] = a[i]! <= b[i]! ? 1 : 0
    else if (operator === '>') for (let i = 0; i < count; i++) into[i] = a[i]! > b[i]! ? 1 : 0
    else if (operator === '>=') for (let i = 0; i < count; i++) into[i] = a[i]! >= b[i]! ? 1 : 0
    else if (operator === '==') for (let i = 0; i < count; i++) into[i] = a[i] === b[i] ? 1 : 0
    else for (let i = 0; i < count; i++) into[i] = a[i] !== b[i] ? 1 : 0
  }
  const bigs = allBig([left, right])
  if (bigs === undefined) {
    return realLoop('truth', [left, right], ([a, b], into, count) => compare(a!, b!, into, count))
  }
  const into = new Float64Array(PIECE)
  const [a, b] = bigs as [Big, Big]
  return {
    type: 'truth',
    run(at, count) {
      compare(a.run(at, count), b.run(at, count), into, count)
      return into
    },
  }
}

function arithmetic(operator: string, left: Evaluator, right: Evaluator): Evaluator {
  // A quotient is a fraction, and so is a power with a negative exponent; one with a large exponent would fill the memory.
  const exponent = right.type === 'real' ? (right.whole ?? -1n) : -1n
  const isWhole = operator === '**' ? exponent >= 0n && exponent <= 64n : operator !== '/'
  const literals = isWhole ? wholesOf([left, right]) : undefined
  if (literals !== undefined) {
    const [a, b] = literals as [bigint, bigint]
    if (b !== 0n || !['//', '%'].includes(operator)) return wholeConstant(bigArithmetic(operator, a, b))
  }
  const bigs = isWhole ? allBig([left, right]) : undefined
  if (bigs !== undefined) return bigLoop(bigs, ([a, b]) => bigArithmetic(operator, a as bigint, b as bigint))
  return realLoop('real', [left, right], ([a, b], into, count) => realArithmetic(operator, a!, b!, into, count))
}

function realArithmetic(operator: string, a: Float64Array, b: Float64Array, into: Float64Array, count: number): void {
  if (operator === '+') for (let i = 0; i < count; i++) into[i] = a[i]! + b[i]!
  else if (operator === '-') for (let i = 0; i < count; i++) into[i] = a[i]! - b[i]!
  else if (operator === '*') for (let i = 0; i < count; i++) into[i] = a[i]! * b[i]!
  else if (operator === '/') for (let i = 0; i < count; i++) into[i] = a[i]! / b[i]!
  else if (operator === '**') for (let i = 0; i < count; i++) into[i] = a[i]! ** b[i]!
  else if (operator === '//') for (let i = 0; i < count; i++) into[i] = Math.floor(a[i]! / b[i]!)
  else {
    for (let i = 0; i < count; i++) {
      const rest = a[i]! % b[i]!
      into[i] = rest !== 0 && rest < 0 !== b[i]! < 0 ? rest + b[i]! : rest
    }
  }
}

function bigArithmetic(operator: string, a: bigint, b: bigint): bigint {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  if (operator === '**') return a ** b
  if (b === 0n) return 0n
  const rest = a % b
  const isAcross = rest !== 0n && rest < 0n !== b < 0n
  if (operator === '%') return isAcross ? rest + b : rest
  return a / b - (isAcross ? 1n : 0n)
}

function choice(condition: Evaluator, then: Evaluator, otherwise: Evaluator): Evaluator {
  const test = asReal(condition)
  const bigs = allBig([then, otherwise])
  if (bigs !== undefined) {
    const [a, b] = bigs as [Big, Big]
    return {
      type: 'big',
      run(at, count) {
        const [yes, no, tests] = [a.run(at, count), b.run(at, count), test.run(at, count)]
        return yes.map((value, i) => (tests[i] !== 0 ? value : (no[i] as bigint)))
      },
    }
  }
  const type = then.type === 'truth' && otherwise.type === 'truth' ? 'truth' : 'real'
  return realLoop(type, [test, then, otherwise], ([tests, yes, no], into, count) => {
    for (let i = 0; i < count; i++) into[i] = tests![i] !== 0 ? yes![i]! : no![i]!
  })
}

const UNARY: Partial<Record<FunctionName, (value: number) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  exp: Math.exp,
  floor: Math.floor,
  isnan: (value) => (Number.isNaN(value) ? 1 : 0),
  log: Math.log,
  round: roundHalfToEven,
  sign: Math.sign,
  sqrt: Math.sqrt,
}

function call(name: FunctionName, args: readonly Evaluator[]): Evaluator {
  const keepsWhole = !['exp', 'log', 'sqrt', 'isnan'].includes(name)
  const literals = keepsWhole ? wholesOf(args) : undefined
  if (literals !== undefined) return wholeConstant(bigFunction(name, literals))
  const bigs = keepsWhole ? allBig(args) : undefined
  if (bigs !== undefined) return bigLoop(bigs, (values) => bigFunction(name, values))
  const unary = UNARY[name]
  if (unary !== undefined) {
    return realLoop(name === 'isnan' ? 'truth' : 'real', args, ([a], into, count) => {
      for (let i = 0; i < count; i++) into[i] = unary(a![i]!)
    })
  }
  if (name === 'clamp') {
    return realLoop('real', args, ([a, low, high], into, count) => {
      for (let i = 0; i < count; i++) into[i] = Math.min(Math.max(a![i]!, low![i]!), high![i]!)
    })
  }
  const pick = name === 'min' ? Math.min : Math.max
  return realLoop('real', args, ([first, ...others], into, count) => {
    into.set(first!)
    for (const other of others) for (let i = 0; i < count; i++) into[i] = pick(into[i]!, other[i]!)
  })
}

function bigFunction(name: FunctionName, values: readonly bigint[]): bigint {
  const [value, low, high] = values as [bigint, bigint, bigint]
  if (name === 'abs') return value < 0n ? -value : value
  if (name === 'sign') return value > 0n ? 1n : value < 0n ? -1n : 0n
  if (name === 'clamp') {
    const above = value < low ? low : value
    return above > high ? high : above
  }
  if (name === 'min') return values.reduce((least, other) => (other < least ? other : least))
  if (name === 'max') return values.reduce((most, other) => (other > most ? other : most))
  return value
}

function storeReal(values: Float64Array, out: TypedArray, at: number, count: number, isBool: boolean): void {
  if (isBool) for (let i = 0; i < count; i++) out[at + i] = values[i] !== 0 ? 1 : 0
  else if (/^Float/.test(out[Symbol.toStringTag])) {
    ;(out as Float64Array).set(values.subarray(0, count), at)
  } else storeWhole(values, out, at, count)
}

function storeBig(values: readonly bigint[], out: TypedArray, at: number, count: number, isBool: boolean): void {
  if (isBool) for (let i = 0; i < count; i++) out[at + i] = values[i] !== 0n ? 1 : 0
  else if (/^Float/.test(out[Symbol.toStringTag])) for (let i = 0; i < count; i++) out[at + i] = Number(values[i])
  else storeWhole(values, out, at, count)
}
