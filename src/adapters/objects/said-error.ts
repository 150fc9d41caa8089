/**
 * What an error of a service means: an object or upload is missing, the bucket is, this user may not read an object, or is refused at all, the
 * credentials have expired, fewer requests are asked for, the same request may succeed, or there is an object although none was wanted.
 */
export type ErrorKind =
  | 'missing'
  | 'no bucket'
  | 'forbidden'
  | 'refused'
  | 'expired'
  | 'slow down'
  | 'passing'
  | 'exists'

/** What a service says in an answer that is an error. */
export interface SaidError {
  /** `NoSuchKey`, `SlowDown`, …; '' if it doesn't say. */
  readonly code: string
  readonly message: string
  /** Absent for what only the status tells. */
  readonly kind?: ErrorKind | undefined
}

/** What the codes of a service mean. */
export type ErrorCodes = readonly (readonly [ErrorKind, RegExp])[]

/** @returns undefined for a code that has no meaning of its own */
export const kindOfError = (codes: ErrorCodes, code: string): ErrorKind | undefined =>
  codes.find(([, pattern]) => pattern.test(code))?.[0]
