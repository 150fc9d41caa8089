/** A JSON value; whole numbers beyond 2^53 are `bigint`, so that a fill value of 2^64−1 survives. */
export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}

// Of ES2025, which the compiler's library does not name yet.
interface ExactJson {
  parse(
    text: string,
    reviver: (this: Holder, key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}
const exact = JSON as unknown as ExactJson

/**
 * How numbers were written whose digits JavaScript would change: `1.0`, `NaN`, 30 digits. A symbol of the object that has them, so
 * that a copy made with `...` has it, too, and no text of a file can be mistaken for it.
 */
const SOURCES = Symbol('sources')
type Sources = Record<string, string>
interface Holder {
  [SOURCES]?: Sources
}

/** Longer integers take too long to become a `bigint`; they are kept as text alone. */
const MAX_BIGINT_DIGITS = 1000

/**
 * JSON as metadata files have it: 64-bit integers stay exact, and the bare NaN and Infinity that Python writes are read.
 * `stringifyJson` writes every number that is kept as it was written.
 * @throws SyntaxError
 */
export function parseJson(text: string): Json {
  try {
    return parseWith(text, undefined)
  } catch (error) {
    const mark = unusedMark(text)
    const marked = markNonFinite(text, mark)
    if (marked === text) throw error
    return parseWith(marked, mark)
  }
}

function parseWith(text: string, mark: string | undefined): Json {
  try {
    return exact.parse(text, reviver(mark)) as Json
  } catch (error) {
    // The stack has ended.
    throw error instanceof RangeError
      ? new SyntaxError('its lists and objects are nested too deeply', { cause: error })
      : error
  }
}

function reviver(mark: string | undefined) {
  return function (this: Holder, key: string, value: unknown, { source }: { readonly source?: string }): unknown {
    if (source === undefined) return value
    if (typeof value === 'number') {
      const kept = Number.isSafeInteger(value) || !isInteger(source) ? value : BigInt(source)
      if (String(kept) !== source) keepSource(this, key, source)
      return kept
    }
    // The text itself is compared: the same word, written with escapes, is a string like any other.
    if (mark === undefined || !source.startsWith(`"${mark}`)) return value
    const word = source.slice(mark.length + 1, -1)
    keepSource(this, key, word)
    return Number(word)
  }
}

const isInteger = (source: string): boolean => source.length <= MAX_BIGINT_DIGITS && /^-?\d+$/.test(source)

function keepSource(holder: Holder, key: string, source: string): void {
  holder[SOURCES] ??= Object.create(null) as Sources
  holder[SOURCES][key] = source
}

function unusedMark(text: string): string {
  for (let number = 0; ; number++) if (!text.includes(`non-finite-${number}:`)) return `non-finite-${number}:`
}

const markNonFinite = (text: string, mark: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (token) =>
    token.startsWith('"') ? token : `"${mark}${token}"`,
  )

/** JSON with numbers as they were written, if they were read; otherwise big integers as numbers and NaN and Infinity as Python writes them. */
export function stringifyJson(value: Json): string {
  const mark = unusedMark(JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? null : item)))
  const text = JSON.stringify(
    value,
    function (this: Holder, key: string, item: unknown) {
      if (typeof item !== 'number' && typeof item !== 'bigint') return item
      const source = sourceOf(this, key, item)
      return /[NI]/.test(source) ? `${mark}${source}` : exact.rawJSON(source)
    },
    2,
  )
  return `${text.replaceAll(new RegExp(`"${mark}(NaN|-?Infinity)"`, 'g'), '$1')}\n`
}

function sourceOf(holder: Holder, key: string, item: number | bigint): string {
  const sources = holder[SOURCES]
  const source = sources === undefined || !Object.hasOwn(sources, key) ? undefined : sources[key]
  return source !== undefined && Object.is(Number(source), Number(item)) ? source : String(item)
}

/** A copy for callers that know neither of `bigint` nor of how its numbers were written; `withSources` knows that again. */
export function plainCopy(value: Json): Json {
  if (typeof value === 'bigint') return Number(value)
  if (typeof value !== 'object' || value === null) return value
  const copy: Json = Array.isArray(value)
    ? value.map(plainCopy)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainCopy(item)]))
  const sources = { ...sourcesOfBigInts(value), ...(value as Holder)[SOURCES] }
  if (Object.keys(sources).length > 0) Object.defineProperty(copy, SOURCES, { value: sources })
  return copy
}

const sourcesOfBigInts = (value: readonly Json[] | JsonObject): Sources =>
  Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => (typeof item === 'bigint' ? [[key, String(item)]] : [])),
  )

/** A shallow copy that can be copied on with `...` and still has its numbers as they were written. */
export function withSources(value: JsonObject): JsonObject {
  const sources = (value as Holder)[SOURCES]
  return sources === undefined ? { ...value } : Object.assign({ ...value }, { [SOURCES]: sources })
}

export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Longer values are cut where they are shown. */
const MAX_SHOWN = 200

/** A value for messages: `"<u2"`, `[1,2]`, `missing`. */
export function show(value: Json | undefined): string {
  const text = JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? String(item) : item)) ?? 'missing'
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}

/** A name that has to be a text, for messages if it is none. An object has no text that could be relied on. */
export const showName = (value: Json | undefined): string => (typeof value === 'string' ? value : show(value))
