import { ConfigError } from '../../core/errors.ts'
import type { CredentialChain, Environment } from '../objects/credentials/credential-chain.ts'
import type { AzureCredentials } from './credentials/azure-credentials.ts'
import { findAzureCredentials } from './credentials/find-credentials.ts'

/** How the containers of a storage account are reached, and with which credentials. */
export interface AzureSettings {
  readonly account: string
  /** `https://account.blob.core.windows.net`, with the account in its path for an emulator. */
  readonly endpoint: string
  /** undefined: requests are not signed, because the user said so. */
  readonly credentials: CredentialChain<AzureCredentials> | undefined
}

/** The variables that decide. */
const VARIABLES = /^(AZURE_|IDENTITY_|MSI_|PATH$)/

const known = new Map<string, AzureSettings>()

/** The settings of this process for an account: the same object as long as its variables are the same, so that credentials are got once. */
export function azureSettings(account: string, env: Environment = process.env): AzureSettings {
  const own = Object.entries(env).filter(([name]) => VARIABLES.test(name))
  const key = JSON.stringify([account, ...own.sort(([a], [b]) => (a < b ? -1 : 1))])
  const found = known.get(key) ?? readAzureSettings(account, Object.fromEntries(own))
  known.set(key, found)
  return found
}

/** The well-known account of Azurite, Microsoft's emulator. */
const EMULATOR =
  'AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1'

/** The fields of AZURE_STORAGE_CONNECTION_STRING; empty without one. @throws ConfigError `INVALID_CONFIG` */
export function connectionFields(env: Environment): ReadonlyMap<string, string> {
  const text = env.AZURE_STORAGE_CONNECTION_STRING ?? ''
  const fields = new Map(
    text
      .split(';')
      .filter((part) => part.trim() !== '')
      .map((part) => {
        const at = part.indexOf('=')
        if (at > 0) return [part.slice(0, at).trim(), part.slice(at + 1).trim()] as const
        // What it contains is a secret.
        const example = 'AccountName=…;AccountKey=…'
        throw new ConfigError('INVALID_CONFIG', `AZURE_STORAGE_CONNECTION_STRING: expected fields such as ${example}.`)
      }),
  )
  const isEmulator = fields.get('UseDevelopmentStorage') === 'true'
  return isEmulator ? connectionFields({ AZURE_STORAGE_CONNECTION_STRING: EMULATOR }) : fields
}

/** As Microsoft's own programs take them from the environment. @throws ConfigError `INVALID_CONFIG` */
export function readAzureSettings(account: string, env: Environment): AzureSettings {
  const fields = connectionFields(env)
  // A connection string is for one account; others are reached as if there were none.
  const isNamed = fields.size > 0 && (fields.get('AccountName') ?? account) === account
  const scheme = fields.get('DefaultEndpointsProtocol') ?? 'https'
  const suffix = (isNamed ? fields.get('EndpointSuffix') : undefined) ?? 'core.windows.net'
  const named = isNamed ? fields.get('BlobEndpoint') : undefined
  const endpoint = (named ?? `${scheme}://${account}.blob.${suffix}`).replace(/\/+$/, '')
  if (!/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `AZURE_STORAGE_CONNECTION_STRING, BlobEndpoint=${named}: expected an address such as https://${account}.blob.core.windows.net.`,
    )
  }
  const isAnonymous = /^(1|true|yes)$/i.test(env.AZURE_STORAGE_ANON ?? '')
  const connection = isNamed ? fields : new Map<string, string>()
  return { account, endpoint, credentials: isAnonymous ? undefined : findAzureCredentials(account, connection, env) }
}
