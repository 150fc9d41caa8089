import { given } from '../../../core/given.ts'
import type { Expiring } from './credential-chain.ts'
import { fetchText, sourceFailed, type TextRequest } from './fetch-text.ts'

/** What lets its bearer read and write, for a time. */
export interface BearerToken extends Expiring {
  readonly token: string
}

export const bearerHeaders = (held: BearerToken | undefined): Record<string, string> =>
  held === undefined ? {} : { authorization: `Bearer ${held.token}` }

const TIMEOUT_MS = 10_000

/** A form as services of tokens want it. */
export const formOf = (fields: Readonly<Record<string, string>>): Omit<TextRequest, 'timeoutMs'> => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body: new URLSearchParams(fields).toString(),
})

/** Asks a service for a token. @param source for messages @throws InfrastructureError `UNAUTHORIZED` */
export async function fetchToken(
  source: string,
  url: string,
  request: Omit<TextRequest, 'timeoutMs'> = {},
): Promise<BearerToken> {
  try {
    return parseToken(await fetchText(url, { ...request, timeoutMs: TIMEOUT_MS }))
  } catch (error) {
    throw sourceFailed(source, error)
  }
}

/** A token as services hand it out. @throws Error for anything else */
export function parseToken(text: string, now: number = Date.now()): BearerToken {
  const found = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { access_token: token, expires_in: seconds, expires_on: until } = found
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new Error('expected an access_token')
  const expires =
    Number.isFinite(Number(seconds)) && seconds !== '' ? now + Number(seconds) * 1000 : Number(until) * 1000
  return { token, ...given({ expires: Number.isFinite(expires) ? expires : undefined }) }
}
