/** How the https addresses of the three services name a bucket; `place` is the path after the host. */
const SERVICES: readonly {
  readonly scheme: 's3' | 'gs' | 'az'
  /** Hosts; the group is the bucket, or the account of Azure. */
  readonly host: RegExp
}[] = [
  { scheme: 's3', host: /^(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?$/ },
  { scheme: 'gs', host: /^(?:(.+)\.)?storage\.(?:googleapis|cloud\.google)\.com$/ },
  { scheme: 'az', host: /^([a-z0-9-]+)\.(?:blob|dfs)\.core\.windows\.net$/ },
]

/**
 * The address by which Bellis writes what an https address of S3, Google Cloud Storage or Azure Blob Storage names, such as
 * `s3://bucket/data.zarr` for `https://bucket.s3.amazonaws.com/data.zarr`; undefined for any other address.
 */
export function serviceAddress(address: string): string | undefined {
  if (!URL.canParse(address)) return undefined
  const { hostname, pathname } = new URL(address)
  for (const { scheme, host } of SERVICES) {
    const found = host.exec(hostname)
    if (found === null) continue
    const path = decoded(pathname).replace(/^\/+/, '')
    const whole = found[1] === undefined ? path : `${found[1]}/${path}`
    return whole === '' ? undefined : `${scheme}://${whole}`
  }
  return undefined
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
