/** Operators of other languages, and their equivalents here. */
const FOREIGN: Readonly<Record<string, string>> = { '=': '==', '&': '&&', '|': '||', '^': '**', '~': '!' }
/** Every part of an expression is a loop over the voxels with its own memory, so the size of an expression is limited. */
const MAX_TOKENS = 2000

export interface Token {
  readonly type: 'number' | 'name' | 'operator' | 'end'
  readonly text: string
  /** Position in the text. */
  readonly at: number
}

const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y
const NAME = /[A-Za-z_]\w*/y
const OPERATOR = /\*\*|\/\/|<=|>=|==|!=|&&|\|\||[-+*/%<>!?:(),]/y

/** Cuts a text into tokens, the last of type `end`. @throws SyntaxError */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < text.length; ) {
    if (/\s/.test(text[at] as string)) {
      at++
      continue
    }
    const match = (pattern: RegExp, type: Token['type']): Token | undefined => {
      pattern.lastIndex = at
      const found = pattern.exec(text)?.[0]
      return found === undefined ? undefined : { type, text: found, at }
    }
    const token = match(NUMBER, 'number') ?? match(NAME, 'name') ?? match(OPERATOR, 'operator')
    if (token === undefined) {
      const sign = text[at] as string
      const meant = FOREIGN[sign]
      throw new SyntaxError(`there is no "${sign}" here${meant === undefined ? '' : `; use ${meant}`}`)
    }
    tokens.push(token)
    if (tokens.length > MAX_TOKENS)
      throw new SyntaxError(`it is too long: more than ${MAX_TOKENS} numbers, names and signs`)
    at += token.text.length
  }
  return [...tokens, { type: 'end', text: '', at: text.length }]
}
