import {
  allBig,
  asReal,
  BATCH,
  type Big,
  bigLoop,
  type Evaluator,
  type Literal,
  type Real,
  realLoop,
  wholeConstant,
  wholesOf,
} from './expression-loops.ts'
import type { FunctionName } from './expression-syntax.ts'
import { roundHalfToEven } from './rounding.ts'

export function comparison(operator: string, left: Evaluator, right: Evaluator): Real {
  const compare = <Value extends number | bigint>(
    a: ArrayLike<Value>,
    b: ArrayLike<Value>,
    into: Float64Array,
    count: number,
  ): void => {
    // One loop per operator: testing the operator for every voxel would take longer than the comparison.
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
  const into = new Float64Array(BATCH)
  const [a, b] = bigs as [Big, Big]
  return {
    type: 'truth',
    run(at, count) {
      compare(a.run(at, count), b.run(at, count), into, count)
      return into
    },
  }
}

/**
 * Whether whole numbers give whole ones. A quotient is a fraction, and so is a power with a negative exponent; a large exponent would
 * exhaust the memory.
 */
export function givesWhole(operator: string, right: Literal): boolean {
  const exponent = right.type === 'real' ? (right.whole ?? -1n) : -1n
  return operator === '**' ? exponent >= 0n && exponent <= 64n : operator !== '/'
}

export function arithmetic(operator: string, left: Evaluator, right: Evaluator): Evaluator {
  const isWhole = givesWhole(operator, right)
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

export function bigArithmetic(operator: string, a: bigint, b: bigint): bigint {
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

export function choice(condition: Evaluator, then: Evaluator, otherwise: Evaluator): Evaluator {
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

/** Whether a function of whole numbers is a whole number. */
export const keepsWhole = (name: FunctionName): boolean => !['exp', 'log', 'sqrt', 'isnan'].includes(name)

export function call(name: FunctionName, args: readonly Evaluator[]): Evaluator {
  const isWhole = keepsWhole(name)
  const literals = isWhole ? wholesOf(args) : undefined
  if (literals !== undefined) return wholeConstant(bigFunction(name, literals))
  const bigs = isWhole ? allBig(args) : undefined
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

export function bigFunction(name: FunctionName, values: readonly bigint[]): bigint {
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
