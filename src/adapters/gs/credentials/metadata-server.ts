import type { BearerToken } from '../../objects/credentials/bearer-token.ts'
import { parseToken } from '../../objects/credentials/bearer-token.ts'
import type { CredentialSource, Environment } from '../../objects/credentials/credential-chain.ts'
import { fetchText, sourceFailed } from '../../objects/credentials/fetch-text.ts'

const HEADERS = { 'metadata-flavor': 'Google' }
/** Most of the machines that ask have no such service, and wait for nothing. */
const PROBE_TIMEOUT_MS = 1000
const TIMEOUT_MS = 10_000

/** The service account of a machine in Google's cloud, or of a pod there. */
export const metadataSource = (env: Environment): CredentialSource<BearerToken> => ({
  name: "the machine's service account",
  remedy: 'check the service account of the machine, and its scopes',
  async load() {
    if (/^true$/i.test(env.NO_GCE_CHECK ?? '')) return undefined
    const base = `http://${env.GCE_METADATA_HOST || '169.254.169.254'}/computeMetadata/v1/instance/service-accounts/default`
    try {
      await fetchText(`${base}/email`, { headers: HEADERS, timeoutMs: PROBE_TIMEOUT_MS })
    } catch {
      // This is no such machine, or it has no account.
      return undefined
    }
    try {
      return parseToken(await fetchText(`${base}/token`, { headers: HEADERS, timeoutMs: TIMEOUT_MS }))
    } catch (error) {
      throw sourceFailed("the machine's service account", error)
    }
  },
})
