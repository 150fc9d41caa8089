import { type BlockwiseError, InfrastructureError } from '../errors.ts'

/** The most entries that a list in a message may have. */
const MAX_LIST = 65_536
/** Longer texts are cut, in characters. */
export const MAX_TEXT = 65_536
/** Longer names are refused, in characters. */
const MAX_NAME = 1024

/** An object in a message whose fields are not checked yet. */
export type Fields = Readonly<Record<string, unknown>>

// Each reader checks one field and throws an InfrastructureError `PROTOCOL_ERROR` that names it.

export function asFields(value: unknown, name: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalid(name, value, 'an object')
}

/** A safe integer, 0 or more. */
export function asInteger(fields: Fields, name: string): number {
  const value = fields[name]
  if (isCount(value)) return value
  throw invalid(name, value, 'a whole number, 0 or more')
}

/** A duration in milliseconds, with a fraction if need be. Bounded, so that sums stay numbers. */
export function asDuration(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value
  throw invalid(name, value, 'a number of milliseconds')
}

/** A text for users, cut if it is too long. */
export function asText(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value
  throw invalid(name, value, 'a string')
}

/** A text that is kept and compared, so it is never cut. */
export function asName(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length <= MAX_NAME) return value
  throw invalid(name, value, `a string of at most ${MAX_NAME} characters`)
}

export function asList(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (Array.isArray(value) && value.length <= MAX_LIST) return value
  throw invalid(name, value, `a list of at most ${MAX_LIST} entries`)
}

/** A list of safe integers, 0 or more. */
export function asIntegers(fields: Fields, name: string): readonly number[] {
  const values = asList(fields, name)
  if (values.every(isCount)) return values
  throw invalid(
    name,
    values.find((value) => !isCount(value)),
    'whole numbers only, each 0 or more',
  )
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

export function invalid(name: string, value: unknown, expected: string): BlockwiseError {
  return new InfrastructureError(
    'PROTOCOL_ERROR',
    `Invalid message: "${name}" is ${show(value)}; expected ${expected}.`,
  )
}

/** The start of a value; of a large one only its kind, since a refused value is not worth writing out. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object' && value !== null) return 'an object'
  return (JSON.stringify(value) ?? String(value)).slice(0, 100)
}
