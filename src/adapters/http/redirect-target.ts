import { lookup } from 'node:dns/promises'
import { MAX_REDIRECTS, mayFollow } from '../../core/redirects.ts'

/**
 * Where a redirect leads.
 * @param location as the server named it
 * @param redirects that were followed before
 * @returns why it is not followed, in words that continue "it", if it is not
 */
export async function redirectTarget(from: URL, location: string, redirects: number): Promise<URL | string> {
  if (redirects === MAX_REDIRECTS) return `is redirected more than ${MAX_REDIRECTS} times; use another address`
  const next = URL.parse(location, from.href)
  if (next === null) return 'is redirected to something that is not an address; check the address'
  if (!/^https?:$/.test(next.protocol)) {
    return `is redirected to an address of the kind "${next.protocol.slice(0, 32)}", and only http and https are followed; check the address`
  }
  if (await mayFollow(from, next, addressesOf)) return next
  return `is redirected to ${next.origin}, another server; use the address there, if you trust it`
}

const addressesOf = async (hostname: string): Promise<string[]> =>
  (await lookup(hostname, { all: true }).catch(() => [])).map(({ address }) => address)
