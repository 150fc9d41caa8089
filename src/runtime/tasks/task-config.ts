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
  const { path, message: text, code } = innermost(issue)
  const message = text.replace(/^(?:Invalid input|Invalid option|Too small|Too big): (?=expected )/, '')
  const [field, ...below] = path
  if (field === undefined) return message
  const keys = below.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  const name = nameOf(String(field), keys.join(''))
  let value = config
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key]
  if (value === undefined) return code === 'custom' ? `${name}: ${message}` : `${name} is missing`
  return `${name} ${showValue(value)}: ${message}`
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
