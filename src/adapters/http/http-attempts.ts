import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { IdleLimit } from '../objects/idle-limit.ts'
import { describeFailure } from '../objects/request-errors.ts'
import type { httpRequest } from './http-request.ts'

export interface HttpOptions {
  /** Retries of a request after a network error or a status of 429 or at least 500. @default 4 */
  readonly retries?: number
  /** Wait before the first retry; doubled for each further one. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time in which nothing is received. @default 60000 */
  readonly timeoutMs?: number
}

/** @throws ConfigError `INVALID_CONFIG` for what is no address, and for one with a password */
export function parseHttpAddress(address: string): URL {
  const url = URL.parse(address)
  if (url === null) {
    throw new ConfigError('INVALID_CONFIG', `${address}: expected an address such as https://host/data.zarr/raw.`)
  }
  const { origin, pathname, username, password } = url
  if (username !== '' || password !== '') {
    throw new ConfigError(
      'INVALID_CONFIG',
      `The address of ${origin}${pathname} contains a password, which fetch refuses; remove it.`,
    )
  }
  return url
}

type Answer = Awaited<ReturnType<typeof httpRequest>>
type Received = Exclude<Answer, 'missing' | { readonly failed: Error }>

/**
 * Makes a request again after errors that may pass.
 * @param attemptOnce has to call `received` whenever something arrives: an attempt may take any time, but not wait for long
 * @returns undefined if there is no such object
 * @throws InfrastructureError `IO_ERROR`
 */
export async function withRetries(
  where: string,
  { retries = 4, retryDelayMs = 200, timeoutMs = 60_000 }: HttpOptions,
  signal: AbortSignal | undefined,
  attemptOnce: (signal: AbortSignal, received: () => void) => Promise<Answer>,
): Promise<Received | undefined> {
  for (let attempt = 0; ; attempt++) {
    using idle = new IdleLimit(timeoutMs)
    let cause: unknown
    try {
      const answer = await attemptOnce(idle.with(signal), idle.restart)
      if (answer === 'missing') return undefined
      if (typeof answer === 'string' || 'body' in answer) return answer
      cause = answer.failed
      if (answer.isFinal) attempt = retries
    } catch (error) {
      signal?.throwIfAborted()
      cause = error
    }
    if (attempt >= retries) {
      throw new InfrastructureError('IO_ERROR', `Can't read ${where}: ${describeFailure(cause)}.`, { cause })
    }
    await delay(retryDelayMs * 2 ** attempt, undefined, signal ? { signal } : {})
  }
}
