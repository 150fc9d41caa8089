// Addresses at which a server on this machine listens.

/** Reachable from this machine only. */
export const LOCAL_HOST = '127.0.0.1'

/** Whether only this machine can reach a server at this address: `127.0.0.1`, `::1`, `localhost`. */
export const isLoopback = (host: string): boolean => /^(127\.[\d.]+|::1|localhost)$/i.test(host)

/** Whether a server listens at every address of this machine. */
export const isAnyAddress = (host: string): boolean => host === '0.0.0.0' || host === '::'

/** A host as it appears in a URL: an IPv6 address is put in brackets. */
export const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** The result of `networkInterfaces()` of `node:os`, as far as it is used here. */
export type Interfaces = Readonly<
  Record<
    string,
    readonly { readonly address: string; readonly family: string; readonly internal: boolean }[] | undefined
  >
>

/** All addresses of this machine. */
export const addressesOf = (interfaces: Interfaces): string[] =>
  Object.values(interfaces).flatMap((list) => list?.map(({ address }) => address) ?? [])

/** The IPv4 addresses by which other machines may reach this one. */
export const outsideAddressesOf = (interfaces: Interfaces): string[] =>
  Object.values(interfaces).flatMap(
    (list) =>
      list?.filter(({ internal, family }) => !internal && family === 'IPv4').map(({ address }) => address) ?? [],
  )
