import { areLargeIntegers, type TypedArray } from '../voxels.ts'

/**
 * Voxels that are evaluated at a time: every node of the tree processes a batch of voxels in one loop.
 */
export const BATCH = 4096

/** Computes a node for a batch of voxels: numbers as float64 (true is 1), or whole numbers of any size. */
export type Evaluator =
  | { readonly type: 'real'; readonly whole?: bigint; run(at: number, count: number): Float64Array }
  | { readonly type: 'truth'; run(at: number, count: number): Float64Array }
  | { readonly type: 'big'; run(at: number, count: number): bigint[] }

export type Real = Extract<Evaluator, { run(at: number, count: number): Float64Array }>
export type Big = Extract<Evaluator, { type: 'big' }>

/** A literal. @param whole its exact value, if it is written without a fraction */
export function constant(value: number, whole?: bigint): Real {
  const values = new Float64Array(BATCH).fill(value)
  return { type: 'real', ...(whole === undefined ? {} : { whole }), run: () => values }
}

/** A whole-number literal. */
export const wholeConstant = (value: bigint): Real => constant(Number(value), value)

/** What a node may be a literal of: see {@link wholesOf}. */
export type Literal = { readonly type: 'real'; readonly whole?: bigint } | { readonly type: 'truth' | 'big' }

/** The values if all nodes are whole-number literals, otherwise undefined. */
export function wholesOf(values: readonly Literal[]): bigint[] | undefined {
  const wholes = values.flatMap((value) => (value.type === 'real' && value.whole !== undefined ? [value.whole] : []))
  return wholes.length === values.length ? wholes : undefined
}

/** A node that reads an array. */
export function variable(data: TypedArray): Evaluator {
  if (areLargeIntegers(data)) {
    return { type: 'big', run: (at, count) => Array.from(data.subarray(at, at + count)) }
  }
  const values = new Float64Array(BATCH)
  return {
    type: 'real',
    run(at, count) {
      values.set(data.subarray(at, at + count))
      return values
    },
  }
}

/** A node whose loop writes into its own memory, which is reused for every batch. */
export function realLoop(
  type: 'real' | 'truth',
  operands: readonly Evaluator[],
  loop: (values: readonly Float64Array[], into: Float64Array, count: number) => void,
): Real {
  const into = new Float64Array(BATCH)
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

/** A node that computes whole numbers of any size, voxel by voxel. */
export const bigLoop = (operands: readonly Big[], operation: (values: readonly bigint[]) => bigint): Big => ({
  type: 'big',
  run(at, count) {
    const values = operands.map((operand) => operand.run(at, count))
    return Array.from({ length: count }, (_, i) => operation(values.map((value) => value[i] as bigint)))
  },
})

/** A node as float64. */
export function asReal(value: Evaluator): Real {
  if (value.type !== 'big') return value
  const into = new Float64Array(BATCH)
  return {
    type: 'real',
    run(at, count) {
      for (const [i, big] of value.run(at, count).entries()) into[i] = Number(big)
      return into
    },
  }
}

/** A node as whole numbers of any size; undefined if it may be a fraction. */
function asBig(value: Evaluator): Big | undefined {
  if (value.type === 'big') return value
  if (value.type === 'truth') {
    return { type: 'big', run: (at, count) => Array.from(value.run(at, count).subarray(0, count), BigInt) }
  }
  const { whole } = value
  return whole === undefined ? undefined : { type: 'big', run: (_, count) => new Array<bigint>(count).fill(whole) }
}

/** All nodes as whole numbers of any size, if at least one of them is and none may be a fraction. */
export function allBig(values: readonly Evaluator[]): Big[] | undefined {
  if (!values.some(({ type }) => type === 'big')) return undefined
  const bigs = values.map(asBig)
  return bigs.every((big) => big !== undefined) ? bigs : undefined
}
