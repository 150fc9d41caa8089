/** A JSON value; whole numbers beyond 2^53 are `bigint`, so that a fill value of 2^64−1 survives. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

// Of ES2025, which the compiler's library does not name yet.
interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): unknown
}
const exact = JSON as unknown as ExactJson

/**
 * JSON as metadata files hold it: 64-bit integers stay exact, and the bare NaN and Infinity that Python writes are read.
 * @throws SyntaxError
 */
export function parseJson(text: string): Json {
  try {
    return exact.parse(text, revive) as Json
  } catch (error) {
    const mended = quoteNonFinite(text)
    if (mended === text) throw error
    return exact.parse(mended, revive) as Json
  }
}

const NON_FINITE = 'non-finite:'

function revive(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value === 'number') {
    const { source } = context
    return !Number.isSafeInteger(value) && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value
  }
  return typeof value === 'string' && value.startsWith(NON_FINITE) ? Number(value.slice(NON_FINITE.length)) : value
}

const quoteNonFinite = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (token) =>
    token.startsWith('"') ? token : `"${NON_FINITE}${token}"`,
  )

/** JSON with big integers as numbers, not strings, indented by two. */
export function stringifyJson(value: Json): string {
  const replace = (_key: string, item: unknown) => (typeof item === 'bigint' ? exact.rawJSON(String(item)) : item)
  return `${JSON.stringify(value, replace, 2)}\n`
}

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
