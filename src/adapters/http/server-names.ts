import type { IncomingMessage } from 'node:http'
import { hostname, networkInterfaces } from 'node:os'
import { addressesOf, isAnyAddress } from '../../core/addresses.ts'

/**
 * The names under which a server may be addressed. Any other name may come from a forged DNS answer, by which a page of another server
 * would read from this one.
 * @param host where it listens
 */
export function namesOf(host: string): ReadonlySet<string> {
  const names = ['localhost', '127.0.0.1', '::1', host]
  if (isAnyAddress(host)) names.push(hostname(), ...addressesOf(networkInterfaces()))
  return new Set(names.map((name) => name.toLowerCase()))
}

/** Whether a request addresses the server by one of its names; the port does not matter, since a tunnel has another one. */
export function isAddressedTo(names: ReadonlySet<string>, request: IncomingMessage): boolean {
  const headers = request.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host')
  const match = /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/i.exec(request.headers.host ?? '')
  const name = (match?.[1] ?? match?.[2])?.toLowerCase()
  return headers.length === 1 && name !== undefined && names.has(name)
}

/** Whether a page of another origin makes a request. Its own has the host that the request was sent to, through a tunnel or a proxy, too. */
export function isForeign({ headers }: IncomingMessage): boolean {
  const { origin, host, 'sec-fetch-site': site } = headers
  const isOwn = origin === undefined || origin === `http://${host}` || origin === `https://${host}`
  return !isOwn || site === 'cross-site' || site === 'same-site'
}
