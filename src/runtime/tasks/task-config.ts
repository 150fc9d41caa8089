import type { z } from 'zod'
import { ConfigError } from '../../core/errors.ts'
import { showValue } from './option-checks.ts'
import type { ConfigSchema } from './task-options.ts'

/** The name of a field in messages. @param below the part of the field: `[1]`, `.depth`, '' for all of it */
export type NameOf = (field: string, below: string) => string

/**
 * Checks a configuration by its schema and fills in the defaults.
 * @param nameOf how a field is named in messages. @default in quotes, after the name of the task
 * @throws ConfigError `INVALID_CONFIG` naming each invalid field
 */
export function parseConfig(
  schema: ConfigSchema,
  config: unknown,
  what: string,
  nameOf?: NameOf,
): Record<string, unknown> {
  const name = nameOf ?? quoted
  assertKnownFields(schema, config, what, name)
  const result = schema.safeParse(config ?? {})
  if (result.success) return result.data
  const { issues } = result.error
  const problems = issues.map((issue) => showIssue(issue, config, name)).join('; ')
  // A flag, a variable or a file needs no further place.
  const isPlaced = nameOf !== undefined && issues.every(({ path }) => path.length > 0)
  throw new ConfigError('INVALID_CONFIG', `${isPlaced ? '' : `Configuration of "${what}": `}${problems}.`, {
    cause: result.error,
  })
}

const quoted: NameOf = (field, below) => `"${field}${below}"`

/** Refuses a field that the schema does not have: it is probably misspelt, and would be ignored silently. */
function assertKnownFields(schema: ConfigSchema, config: unknown, what: string, nameOf: NameOf): void {
  if (schema.def.catchall !== undefined || typeof config !== 'object' || config === null) return
  const unknown = Object.keys(config).filter((name) => !(name in schema.shape))
  if (unknown.length === 0) return
  throw new ConfigError(
    'INVALID_CONFIG',
    `Configuration of "${what}": there is no ${unknown.map((name) => nameOf(name, '')).join(', ')}; the fields are ${Object.keys(schema.shape).join(', ')}.`,
  )
}

type Issue = z.core.$ZodIssue

/** `"sigma[1]" 0: expected a number above 0`. */
function showIssue(issue: Issue, config: unknown, nameOf: NameOf): string {
  const closest = innermost(issue)
  const { path, code } = closest
  const message = plainMessage(closest)
  const [field, ...below] = path
  if (field === undefined) return message
  const keys = below.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  const name = nameOf(String(field), keys.join(''))
  let value = config
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key]
  if (value === undefined) return code === 'custom' ? `${name}: ${message}` : `${name} is missing`
  return `${name} ${showValue(value)}: ${message}`
}

/** Zod's own messages as plain English; those that a schema gives itself stay. */
function plainMessage(issue: Issue): string {
  const [, own = issue.message] =
    /^(?:Invalid input|Invalid option|Too small|Too big): (expected .*)$/s.exec(issue.message) ?? []
  if (own === issue.message) return own
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${NOUNS[issue.expected] ?? issue.expected}`
    case 'too_small':
      return `expected ${amount(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum)}`
    case 'too_big':
      return `expected ${amount(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum)}`
    default:
      return own
  }
}

const NOUNS: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
}
const UNITS: Readonly<Record<string, string>> = { string: 'characters', array: 'values', set: 'values', map: 'entries' }

/** `a number of at least 1`, `at most 3 values` */
function amount(origin: string, comparison: string, limit: number | bigint): string {
  const unit = UNITS[origin]
  if (unit !== undefined)
    return `${comparison} ${limit} ${limit === 1 ? unit.replace(/ies$/, 'y').replace(/s$/, '') : unit}`
  return `${NOUNS[origin] ?? 'a number'} ${comparison.replace('more than', 'above').replace('less than', 'below').replace(/^at/, 'of at')} ${limit}`
}

/** The issue of a value that fits none of several alternatives: that of the alternative that comes closest. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union') return issue
  const [first, ...others] = issue.errors.flatMap(([nested]) => (nested === undefined ? [] : [innermost(nested)]))
  if (first === undefined) return issue
  const all = [first, ...others]
  if (all.every((each) => each.code === 'invalid_value' && each.path.length === 0)) {
    const values = all.flatMap((each) => (each.code === 'invalid_value' ? each.values : []))
    return { ...first, path: issue.path, message: `expected one of ${values.map(showValue).join('|')}` }
  }
  const closest = others.reduce((best, other) => (other.path.length > best.path.length ? other : best), first)
  return { ...closest, path: [...issue.path, ...closest.path] }
}
