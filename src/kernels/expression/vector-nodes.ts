import { wholesOf } from './expression-loops.ts'
import { bigArithmetic, bigFunction, givesWhole, keepsWhole } from './expression-operations.ts'
import type { ExpressionNode, FunctionName } from './expression-syntax.ts'
import { SCALAR, type VectorCode } from './vector-code.ts'
import { type Ranges, rangeOfAll, rangeOfArithmetic, rangeOfBothSigns, type WholeRange } from './whole-ranges.ts'

/**
 * A node that is computed two voxels at a time: as float64, as masks of 64 bits, or as integers of 64 bits. The types are those of
 * `Evaluator`.
 */
export type VectorNode = RealNode | TruthNode | BigNode
interface RealNode {
  readonly type: 'real'
  readonly whole?: bigint
  /** Writes the instructions that put pair `pair` of the eight current voxels on the stack. */
  emit(pair: number): void
}
interface TruthNode {
  readonly type: 'truth'
  emit(pair: number): void
}
interface BigNode {
  readonly type: 'big'
  emit(pair: number): void
  /** Which values there may be, if the arrays have values of these ranges. */
  range(ranges: Ranges): WholeRange
}

type Comparison = 'Lt' | 'Le' | 'Gt' | 'Ge' | 'Eq' | 'Ne'
const COMPARISONS: Readonly<Record<string, Comparison>> = {
  '<': 'Lt',
  '<=': 'Le',
  '>': 'Gt',
  '>=': 'Ge',
  '==': 'Eq',
  '!=': 'Ne',
}
const ARITHMETIC = { '+': 'Add', '-': 'Sub', '*': 'Mul' } as const
const UNARY = { abs: 'f64Abs', ceil: 'f64Ceil', floor: 'f64Floor', round: 'f64Nearest', sqrt: 'f64Sqrt' } as const

/** An operation that has no vector code. */
export class NotCompiled extends Error {}

/** Makes nodes that write their instructions into a code. */
export class VectorNodes {
  readonly #code: VectorCode
  readonly #variables: ReadonlyMap<string, VectorNode>
  /** The index of an imported function. */
  readonly #functions: (name: string) => number
  /** All nodes of integers, whose values have to fit. */
  readonly bigs: BigNode[] = []

  constructor(code: VectorCode, variables: ReadonlyMap<string, VectorNode>, functions: (name: string) => number) {
    this.#code = code
    this.#variables = variables
    this.#functions = functions
  }

  /** @throws NotCompiled */
  of(node: ExpressionNode): VectorNode {
    switch (node.kind) {
      case 'number':
        return this.#constant(node.value, node.whole)
      case 'truth':
        return this.#truth(() => this.#code.constant(node.value ? -1n : 0n))
      case 'variable':
        return this.#variables.get(node.name) as VectorNode
      case 'negative':
        return this.#negative(this.of(node.of))
      case 'not': {
        const test = this.test(this.of(node.of))
        // NaN counts as true.
        return this.#truth((pair) => {
          test(pair)
          this.#code.vector('not')
        })
      }
      case 'logic': {
        const [left, right] = [this.test(this.of(node.left)), this.test(this.of(node.right))]
        return this.#truth((pair) => {
          left(pair)
          right(pair)
          this.#code.vector(node.operator === '&&' ? 'and' : 'or')
        })
      }
      case 'comparison':
        return this.#comparison(COMPARISONS[node.operator]!, this.of(node.left), this.of(node.right))
      case 'arithmetic':
        return this.#arithmetic(node.operator, this.of(node.left), this.of(node.right))
      case 'choice':
        return this.#choice(this.of(node.condition), this.of(node.then), this.of(node.otherwise))
      case 'call':
        return this.#call(
          node.name,
          node.args.map((arg) => this.of(arg)),
        )
      default:
        return node satisfies never
    }
  }

  #constant(value: number, whole?: bigint): RealNode {
    return { type: 'real', ...(whole === undefined ? {} : { whole }), emit: () => this.#code.constant(value) }
  }

  #whole = (value: bigint): RealNode => this.#constant(Number(value), value)

  #truth = (emit: (pair: number) => void): TruthNode => ({ type: 'truth', emit })

  #real = (emit: (pair: number) => void): RealNode => ({ type: 'real', emit })

  #big(emit: (pair: number) => void, range: (ranges: Ranges) => WholeRange): BigNode {
    const node: BigNode = { type: 'big', emit, range }
    this.bigs.push(node)
    return node
  }

  /** A vector operation on the values of some nodes. */
  #apply(name: Parameters<VectorCode['vector']>[0], ...operands: readonly { emit(pair: number): void }[]) {
    return (pair: number): void => {
      for (const operand of operands) operand.emit(pair)
      this.#code.vector(name)
    }
  }

  /** Emits a node as float64. */
  asReal(node: VectorNode): RealNode {
    const code = this.#code
    if (node.type === 'real') return node
    return this.#real((pair) => {
      node.emit(pair)
      if (node.type === 'truth') {
        code.constant(1)
        code.vector('and')
        return
      }
      const value = code.newLocal()
      code.set(value)
      code.get(value)
      code.vector('i64Extract', 0)
      code.raw(SCALAR.f64FromI64)
      code.vector('f64Splat')
      code.get(value)
      code.vector('i64Extract', 1)
      code.raw(SCALAR.f64FromI64)
      code.vector('f64Replace', 1)
    })
  }

  /** Emits a mask: whether a node is not 0. */
  test(node: VectorNode): (pair: number) => void {
    if (node.type === 'truth') return (pair) => node.emit(pair)
    return (pair) => {
      node.emit(pair)
      if (node.type === 'real') this.#code.constant(0)
      else this.#code.constant(0n)
      this.#code.vector(node.type === 'real' ? 'f64Ne' : 'i64Ne')
    }
  }

  /** All nodes as integers, if at least one of them is one and none may be a fraction. */
  #allBig(nodes: readonly VectorNode[]): BigNode[] | undefined {
    if (!nodes.some(({ type }) => type === 'big')) return undefined
    const bigs = nodes.map((node) => this.#asBig(node))
    return bigs.every((big) => big !== undefined) ? bigs : undefined
  }

  #asBig(node: VectorNode): BigNode | undefined {
    const code = this.#code
    if (node.type === 'big') return node
    if (node.type === 'truth') {
      const emit = (pair: number) => {
        node.emit(pair)
        code.constant(1n)
        code.vector('and')
      }
      return this.#big(emit, () => [0n, 1n])
    }
    const { whole } = node
    return whole === undefined
      ? undefined
      : this.#big(
          () => code.constant(whole),
          () => [whole, whole],
        )
  }

  #comparison(name: Comparison, left: VectorNode, right: VectorNode): TruthNode {
    const bigs = this.#allBig([left, right])
    if (bigs !== undefined) return this.#truth(this.#apply(`i64${name}`, ...bigs))
    return this.#truth(this.#apply(`f64${name}`, this.asReal(left), this.asReal(right)))
  }

  #negative(node: VectorNode): VectorNode {
    if (node.type === 'real' && node.whole !== undefined) return this.#whole(-node.whole)
    if (node.type === 'big')
      return this.#big(this.#apply('i64Neg', node), (ranges) => rangeOfBothSigns(node.range(ranges)))
    return this.#real(this.#apply('f64Neg', this.asReal(node)))
  }

  #arithmetic(operator: string, left: VectorNode, right: VectorNode): VectorNode {
    const isWhole = givesWhole(operator, right)
    const literals = isWhole ? wholesOf([left, right]) : undefined
    if (literals !== undefined) {
      const [a, b] = literals as [bigint, bigint]
      if (b !== 0n || !['//', '%'].includes(operator)) return this.#whole(bigArithmetic(operator, a, b))
    }
    const bigs = isWhole ? this.#allBig([left, right]) : undefined
    const name = ARITHMETIC[operator as keyof typeof ARITHMETIC]
    if (bigs !== undefined) {
      const [a, b] = bigs as [BigNode, BigNode]
      if (name === undefined) throw new NotCompiled()
      return this.#big(this.#apply(`i64${name}`, a, b), (ranges) =>
        rangeOfArithmetic(operator, a.range(ranges), b.range(ranges)),
      )
    }
    const [a, b] = [this.asReal(left), this.asReal(right)]
    if (name !== undefined) return this.#real(this.#apply(`f64${name}`, a, b))
    if (operator === '/') return this.#real(this.#apply('f64Div', a, b))
    if (operator === '//') return this.#real(this.#apply('f64Floor', { emit: this.#apply('f64Div', a, b) }))
    return this.#imported(operator === '**' ? 'power' : 'rest', a, b)
  }

  /** Calls a function for each voxel. */
  #imported(name: string, ...operands: readonly RealNode[]): RealNode {
    const code = this.#code
    const index = this.#functions(name)
    return this.#real((pair) => {
      const locals = operands.map((operand) => {
        operand.emit(pair)
        const local = code.newLocal()
        code.set(local)
        return local
      })
      for (const lane of [0, 1]) {
        for (const local of locals) {
          code.get(local)
          code.vector('f64Extract', lane)
        }
        code.raw(SCALAR.call, index)
        if (lane === 0) code.vector('f64Splat')
        else code.vector('f64Replace', 1)
      }
    })
  }

  #choice(condition: VectorNode, then: VectorNode, otherwise: VectorNode): VectorNode {
    const test = { emit: this.test(condition) }
    const bigs = this.#allBig([then, otherwise])
    if (bigs !== undefined) {
      return this.#big(this.#apply('select', ...bigs, test), (ranges) =>
        rangeOfAll(bigs.map((big) => big.range(ranges))),
      )
    }
    if (then.type === 'truth' && otherwise.type === 'truth') {
      return this.#truth(this.#apply('select', then, otherwise, test))
    }
    return this.#real(this.#apply('select', this.asReal(then), this.asReal(otherwise), test))
  }

  #call(name: FunctionName, args: readonly VectorNode[]): VectorNode {
    const isWhole = keepsWhole(name)
    const literals = isWhole ? wholesOf(args) : undefined
    if (literals !== undefined) return this.#whole(bigFunction(name, literals))
    const bigs = isWhole ? this.#allBig(args) : undefined
    if (bigs !== undefined) return this.#bigCall(name, bigs)
    const reals = args.map((arg) => this.asReal(arg))
    const [first, low, high] = reals as [RealNode, RealNode, RealNode]
    if (name === 'isnan') return this.#isNaN(first)
    if (name === 'exp' || name === 'log') return this.#imported(name, first)
    if (name === 'sign') return this.#sign(first)
    if (name === 'clamp') return this.#real(this.#apply('f64Min', { emit: this.#apply('f64Max', first, low) }, high))
    if (name === 'min' || name === 'max') {
      return reals.reduce((one, other) => this.#real(this.#apply(name === 'min' ? 'f64Min' : 'f64Max', one, other)))
    }
    return this.#real(this.#apply(UNARY[name], first))
  }

  #isNaN(node: RealNode): TruthNode {
    const code = this.#code
    return this.#truth((pair) => {
      const value = code.newLocal()
      node.emit(pair)
      code.set(value)
      code.get(value)
      code.get(value)
      code.vector('f64Ne')
    })
  }

  /** -1 or 1; 0, -0 and NaN stay. */
  #sign(node: RealNode): RealNode {
    const code = this.#code
    return this.#real((pair) => {
      const value = code.newLocal()
      node.emit(pair)
      code.set(value)
      code.constant(1)
      code.constant(-1)
      code.get(value)
      code.get(value)
      code.constant(0)
      code.vector('f64Lt')
      code.vector('select')
      code.get(value)
      code.constant(0)
      code.vector('f64Gt')
      code.vector('select')
    })
  }

  #bigCall(name: FunctionName, args: readonly BigNode[]): BigNode {
    const [first, low, high] = args as [BigNode, BigNode, BigNode]
    const all = (ranges: Ranges) => rangeOfAll(args.map((arg) => arg.range(ranges)))
    const pick = (test: 'i64Lt' | 'i64Gt', one: BigNode, other: BigNode) =>
      this.#big(this.#picked(test, one, other), all)
    if (name === 'abs')
      return this.#big(this.#apply('i64Abs', first), (ranges) => rangeOfBothSigns(first.range(ranges)))
    if (name === 'sign') throw new NotCompiled()
    if (name === 'clamp') return pick('i64Lt', pick('i64Gt', first, low), high)
    if (name === 'min' || name === 'max') {
      return args.reduce((one, other) => pick(name === 'min' ? 'i64Lt' : 'i64Gt', one, other))
    }
    return first
  }

  /** The first value if the comparison with the second one holds, otherwise the second one. */
  #picked(test: 'i64Lt' | 'i64Gt', one: BigNode, other: BigNode): (pair: number) => void {
    const code = this.#code
    return (pair) => {
      const [a, b] = [code.newLocal(), code.newLocal()]
      one.emit(pair)
      code.set(a)
      other.emit(pair)
      code.set(b)
      for (const local of [a, b, a, b]) code.get(local)
      code.vector(test)
      code.vector('select')
    }
  }
}
