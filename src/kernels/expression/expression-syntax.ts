import { type Token, tokensOf } from './expression-tokens.ts'

/** A node of a parsed expression: see {@link parseExpression}. */
export type ExpressionNode =
  /** `whole` if the number is written without a fraction. */
  | { readonly kind: 'number'; readonly value: number; readonly whole?: bigint }
  | { readonly kind: 'truth'; readonly value: boolean }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly ExpressionNode[] }
  | { readonly kind: 'negative' | 'not'; readonly of: ExpressionNode }
  | {
      readonly kind: 'arithmetic' | 'comparison' | 'logic'
      readonly operator: string
      readonly left: ExpressionNode
      readonly right: ExpressionNode
    }
  | {
      readonly kind: 'choice'
      readonly condition: ExpressionNode
      readonly then: ExpressionNode
      readonly otherwise: ExpressionNode
    }

/** Every function, with the minimum and maximum number of its arguments. */
const FUNCTIONS = {
  abs: [1, 1],
  ceil: [1, 1],
  clamp: [3, 3],
  exp: [1, 1],
  floor: [1, 1],
  isnan: [1, 1],
  log: [1, 1],
  max: [2, 16],
  min: [2, 16],
  round: [1, 1],
  sign: [1, 1],
  sqrt: [1, 1],
} as const
export type FunctionName = keyof typeof FUNCTIONS

const CONSTANTS: ReadonlyMap<string, ExpressionNode> = new Map<string, ExpressionNode>(
  Object.entries({
    true: { kind: 'truth', value: true },
    false: { kind: 'truth', value: false },
    inf: { kind: 'number', value: Number.POSITIVE_INFINITY },
    nan: { kind: 'number', value: Number.NaN },
    pi: { kind: 'number', value: Math.PI },
  }),
)
const WORDS: ReadonlyMap<string, string> = new Map([
  ['and', '&&'],
  ['or', '||'],
  ['not', 'not'],
])
const COMPARISONS = ['<', '<=', '>', '>=', '==', '!=']
const MAX_DEPTH = 200

const isFunction = (name: string): name is FunctionName => Object.hasOwn(FUNCTIONS, name)

/** Whether a name belongs to a function, a constant or an operator, so that no variable can have it. */
export const isReservedName = (name: string): boolean => isFunction(name) || CONSTANTS.has(name) || WORDS.has(name)

/**
 * Parses an expression over voxels: numbers, variables, `+ - * / // % **`, comparisons, `&& || !` (or `and or not`),
 * `condition ? a : b`, and the functions abs, ceil, clamp, exp, floor, isnan, log, max, min, round, sign, sqrt; precedence as
 * in Python. The text is never run as code.
 * @throws SyntaxError naming the mistake and its place
 * @example parseExpression('clamp(x - 10, 0, 255)')
 */
export function parseExpression(text: string): ExpressionNode {
  return new Parser(text).parse()
}

/** The names of the variables of an expression. @example variablesOf(parseExpression('a + 2 * b')) // Set { 'a', 'b' } */
export const variablesOf = (node: ExpressionNode): Set<string> =>
  new Set(node.kind === 'variable' ? [node.name] : childrenOf(node).flatMap((child) => [...variablesOf(child)]))

/** The parts of a node. */
export function childrenOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case 'call':
      return node.args
    case 'negative':
    case 'not':
      return [node.of]
    case 'arithmetic':
    case 'comparison':
    case 'logic':
      return [node.left, node.right]
    case 'choice':
      return [node.condition, node.then, node.otherwise]
    default:
      return []
  }
}

class Parser {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  parse(): ExpressionNode {
    const node = this.#choice()
    if (this.#token.type !== 'end') this.#fail(`"${this.#token.text}" was not expected`)
    return node
  }

  get #token(): Token {
    return this.#tokens[this.#next] as Token
  }

  #fail(what: string): never {
    const before = this.#text.slice(0, this.#token.at).trimEnd()
    throw new SyntaxError(before === '' ? what : `${what} after "${before.slice(-40)}"`)
  }

  /** Takes the next token if it is one of these operators. */
  #take(...operators: readonly string[]): string | undefined {
    const { type, text } = this.#token
    const operator = type === 'name' ? WORDS.get(text) : type === 'operator' ? text : undefined
    if (operator === undefined || !operators.includes(operator)) return undefined
    this.#next++
    return operator
  }

  #expect(operator: string): void {
    if (this.#take(operator) === undefined) this.#fail(`"${operator}" is missing`)
  }

  /** Refuses a text that is nested so deeply that parsing it would overflow the stack. */
  #nested<Result>(parse: () => Result): Result {
    if (++this.#depth > MAX_DEPTH) this.#fail('it is nested too deeply')
    const result = parse()
    this.#depth--
    return result
  }

  #choice = (): ExpressionNode =>
    this.#nested(() => {
      const condition = this.#logic('||', () => this.#logic('&&', this.#negation))
      if (this.#take('?') === undefined) return condition
      const then = this.#choice()
      this.#expect(':')
      return { kind: 'choice', condition, then, otherwise: this.#choice() }
    })

  #logic(operator: string, operand: () => ExpressionNode): ExpressionNode {
    let left = operand()
    while (this.#take(operator) !== undefined) left = { kind: 'logic', operator, left, right: operand() }
    return left
  }

  #negation = (): ExpressionNode =>
    this.#take('not') === undefined ? this.#comparison() : this.#nested(() => ({ kind: 'not', of: this.#negation() }))

  #comparison(): ExpressionNode {
    const left = this.#sum()
    const operator = this.#take(...COMPARISONS)
    if (operator === undefined) return left
    const node: ExpressionNode = { kind: 'comparison', operator, left, right: this.#sum() }
    if (this.#take(...COMPARISONS) !== undefined)
      this.#fail('compare two values at a time: 1 < x && x < 5. A third comes')
    return node
  }

  #sum = (): ExpressionNode => this.#arithmetic(['+', '-'], () => this.#arithmetic(['*', '/', '//', '%'], this.#sign))

  #arithmetic(operators: readonly string[], operand: () => ExpressionNode): ExpressionNode {
    let left = operand()
    for (;;) {
      const operator = this.#take(...operators)
      if (operator === undefined) return left
      left = { kind: 'arithmetic', operator, left, right: operand() }
    }
  }

  #sign = (): ExpressionNode =>
    this.#nested(() => {
      const operator = this.#take('-', '+', '!')
      if (operator === undefined) return this.#power()
      const of = this.#sign()
      return operator === '+' ? of : { kind: operator === '-' ? 'negative' : 'not', of }
    })

  #power(): ExpressionNode {
    const left = this.#primary()
    return this.#take('**') === undefined ? left : { kind: 'arithmetic', operator: '**', left, right: this.#sign() }
  }

  #primary(): ExpressionNode {
    if (this.#take('(') !== undefined) {
      const node = this.#choice()
      this.#expect(')')
      return node
    }
    const { type, text } = this.#token
    if (type === 'end') this.#fail('a value is missing')
    if (type === 'operator' || WORDS.has(text)) this.#fail(`a value is missing before "${text}"`)
    this.#next++
    if (type === 'number') {
      return { kind: 'number', value: Number(text), ...(/^\d+$/.test(text) ? { whole: BigInt(text) } : {}) }
    }
    if (this.#take('(') !== undefined) return this.#call(text)
    if (isFunction(text)) this.#fail(`"(" is missing`)
    return CONSTANTS.get(text) ?? { kind: 'variable', name: text }
  }

  #call(name: string): ExpressionNode {
    if (!isFunction(name)) {
      throw new SyntaxError(`there is no function "${name}"; there are ${Object.keys(FUNCTIONS).join(', ')}`)
    }
    const args = [this.#choice()]
    while (this.#take(',') !== undefined) args.push(this.#choice())
    this.#expect(')')
    const [least, most] = FUNCTIONS[name]
    if (args.length < least || args.length > most) {
      const wanted = least === most ? String(least) : `${least} to ${most}`
      throw new SyntaxError(`${name} takes ${wanted} ${most === 1 ? 'value' : 'values'}, not ${args.length}`)
    }
    return { kind: 'call', name, args }
  }
}
