/** A web address, as far as it matters whether a request may be sent there: a `URL`. */
export interface WebPlace {
  readonly protocol: string
  readonly hostname: string
  readonly origin: string
}

/** Statuses of HTTP that name another address. */
export const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
/** One after the other; more are a circle. */
export const MAX_REDIRECTS = 10

/** The numeric addresses of a host; none if it is unknown. */
export type Lookup = (hostname: string) => Promise<readonly string[]>

/**
 * Whether a request may follow a redirect: on the same server, from one https server to another, and from http to https on the same host.
 * A server on the internet can't send it to one that only this machine or its network sees.
 */
export async function mayFollow(from: WebPlace, to: WebPlace, lookup: Lookup): Promise<boolean> {
  if (to.origin === from.origin) return true
  if (to.protocol !== 'https:') return false
  if (from.protocol !== 'https:' && from.hostname !== to.hostname) return false
  return !(await isInside(to, lookup)) || (await isInside(from, lookup))
}

async function isInside({ hostname }: WebPlace, lookup: Lookup): Promise<boolean> {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (/(^|\.)localhost$/i.test(host)) return true
  const addresses = isNumeric(host) ? [host] : await lookup(host)
  return addresses.some(isPrivateAddress)
}

const isNumeric = (host: string): boolean => /^[\d.]+$/.test(host) || host.includes(':')

/** Private, shared, link-local, reserved and multicast ranges of IPv4 (RFC 6890): the first bytes, and the bits of the last one that count. */
const INSIDE_V4: readonly (readonly [bytes: readonly number[], bits: number])[] = [
  ...([[0], [10], [127]] as const).map((bytes) => [bytes, 8] as const),
  ...(
    [
      [169, 254],
      [192, 168],
    ] as const
  ).map((bytes) => [bytes, 8] as const),
  [[100, 64], 2],
  [[172, 16], 4],
  [[192, 0, 0], 8],
  [[198, 18], 7],
  [[224], 3],
]

/** Whether an address leads to this machine, or to a network that the internet does not see. @param address of IPv4 or IPv6 */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^(?:::ffff:|64:ff9b::)(.+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return isPrivateAddress(mapped.includes('.') ? mapped : dotted(mapped))
  if (address.includes(':')) return /^(?:::1?$|f[cd]|fe[89ab]|ff)/i.test(address)
  const bytes = address.split('.').map(Number)
  return INSIDE_V4.some(([start, bits]) =>
    start.every((byte, place) => {
      const unused = place === start.length - 1 ? 8 - bits : 0
      return (bytes[place] as number) >> unused === byte >> unused
    }),
  )
}

/** `7f00:1` as `127.0.0.1`. */
function dotted(groups: string): string {
  const [high = 0, low = 0] = groups.split(':').map((group) => Number.parseInt(group, 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
