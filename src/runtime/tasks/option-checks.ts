import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'

/** @param what start of the message: `defineTask in /home/me/task.ts:12` @throws ConfigError `INVALID_TASK` */
export function assertKnownOptions(options: object, known: readonly string[], name: string, what: string): void {
  const unknown = Object.keys(options).filter((option) => !known.includes(option))
  if (unknown.length === 0) return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "${name}" has no option "${unknown.join('", "')}"; the options are ${known.join(', ')}.`,
  )
}

/** @throws ConfigError `INVALID_TASK` */
export function assertName(name: unknown, what: string): asserts name is string {
  if (typeof name === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(name)) return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "name" is ${JSON.stringify(name) ?? 'missing'}; use letters, digits, ".", "_" and "-".`,
  )
}

/** @throws ConfigError `INVALID_TASK` */
export function assertFunction(value: unknown, option: string, name: string, what: string): void {
  if (typeof value === 'function') return
  throw new ConfigError(
    'INVALID_TASK',
    `${what}: "${option}" of "${name}" is ${value === undefined ? 'missing' : showValue(value)}; expected a function.`,
  )
}

/** @throws ConfigError `INVALID_TASK` for a value that is not a Zod 4 object */
export function assertSchema(schema: unknown, name: string, what: string): void {
  const fields = typeof schema === 'object' && schema !== null ? schema : {}
  if ('safeParse' in fields && 'shape' in fields && '_zod' in fields) return
  const isOld = 'safeParse' in fields && !('_zod' in fields)
  throw new ConfigError(
    'INVALID_TASK',
    isOld
      ? `${what}: "config" of "${name}" was made by an old Zod; use version 4, or the z of Bellis: import { z } from 'bellis'.`
      : `${what}: "config" of "${name}" is ${schema === undefined ? 'missing' : showKind(schema)}; expected a Zod object: z.object({ … }).`,
  )
}

export const isMaxFailures = (value: number): boolean =>
  value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= 1)

/** @throws ConfigError `INVALID_TASK` */
export function checkMaxFailures(value: number, what: string): number {
  if (isMaxFailures(value)) return value
  throw new ConfigError('INVALID_TASK', `${what} is ${showValue(value)}; expected a whole number from 1, or Infinity.`)
}

/** Whether memory may be multiplied by this when a block ran out of it. */
export const isMemoryFactor = (factor: unknown): factor is number =>
  typeof factor === 'number' && factor > 1 && factor <= 64

/** Sizes of a history or a log, in MB. A smaller one would be shortened all the time. */
export const SIZES_MB = { least: 1, most: 1_000_000, text: 'a number of MB from 1 to 1000000' } as const

export const isSizeMb = (size: unknown): size is number =>
  typeof size === 'number' && size >= SIZES_MB.least && size <= SIZES_MB.most

/** The limits of one task, which take the place of those of the run. */
export interface TaskLimits {
  readonly maxRetries?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly memoryRetry?: number | undefined
}

type GivenLimits = { readonly maxRetries?: number; readonly timeoutMs?: number; readonly memoryRetry?: number }

/** @returns those that are given @throws ConfigError `INVALID_TASK` */
export function checkLimits({ maxRetries, timeoutMs, memoryRetry }: TaskLimits, what: string): GivenLimits {
  if (maxRetries !== undefined && !(Number.isSafeInteger(maxRetries) && maxRetries >= 0)) {
    const found = `${what}: "maxRetries" is ${showValue(maxRetries)}`
    throw new ConfigError('INVALID_TASK', `${found}; expected a whole number from 0.`)
  }
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs > 0)) {
    const found = `${what}: "timeoutMs" is ${showValue(timeoutMs)}`
    throw new ConfigError('INVALID_TASK', `${found}; expected a number of milliseconds above 0.`)
  }
  if (memoryRetry !== undefined && !isMemoryFactor(memoryRetry)) {
    const found = `${what}: "memoryRetry" is ${showValue(memoryRetry)}`
    throw new ConfigError('INVALID_TASK', `${found}; expected a number above 1, and at most 64.`)
  }
  return given({ maxRetries, timeoutMs, memoryRetry })
}

/** The kind of a value, without its content. */
const showKind = (value: unknown): string => {
  const kind = (value as { _zod?: { def?: { type?: unknown } } } | null)?._zod?.def?.type
  if (typeof kind === 'string') return `z.${kind}(…)`
  return typeof value === 'object' && value !== null ? 'a plain object' : showValue(value)
}

/** A value for a message, at most 100 characters. */
export const showValue = (value: unknown): string =>
  (typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : (JSON.stringify(value) ?? String(value))
  ).slice(0, 100)
