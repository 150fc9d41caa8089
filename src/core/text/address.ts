/** Whether a path of a dataset is an address: on the web, or in an object store. */
export const isAddress = (path: string): boolean => /^(https?|s3|gs|az):\/\//i.test(path)

/** An address in its two parts: where, and the query of a signed one, which each request needs. */
export function splitQuery(address: string): { readonly place: string; readonly query: string } {
  const [, place = address, query = ''] = /^(https?:\/\/[^?]*)(\?.*)$/is.exec(address) ?? []
  return { place, query }
}

/** The host and bucket of an address, with the `/` behind them: names above it lead nowhere. */
const ROOT = /^[a-z\d]+:\/\/[^/?]*\//i

/**
 * The address of what a file names, from its own folder on. An absolute name means its last part: there is no other file system behind an
 * address. The query of the address is kept.
 */
export function addressBeside(address: string, name: string): string {
  const { place, query } = splitQuery(address)
  const [root = place] = ROOT.exec(place) ?? []
  const wanted = name.startsWith('/') ? name.slice(name.lastIndexOf('/') + 1) : name
  const names = place.slice(root.length).split('/').slice(0, -1)
  const isWeb = /^http/i.test(root)
  for (const part of wanted.split('/')) {
    if (part === '..') names.pop()
    else if (part !== '.' && part !== '') names.push(isWeb ? encodeURIComponent(part) : part)
  }
  return root + names.join('/') + query
}

/** The folder of a file behind an address, with its last `/`. */
export function addressFolder(address: string): string {
  const { place } = splitQuery(address)
  return place.slice(0, place.lastIndexOf('/') + 1)
}
