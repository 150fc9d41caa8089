import { ConfigError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import type { BearerToken } from '../objects/credentials/bearer-token.ts'
import type { CredentialChain, Environment } from '../objects/credentials/credential-chain.ts'
import { findGoogleCredentials } from './credentials/find-credentials.ts'

/** How a bucket is reached, and with which credentials. */
export interface GsSettings {
  /** `https://host:port` */
  readonly endpoint: string
  /** Whether it is an emulator, which refuses nobody, and says less than the service. */
  readonly isEmulator: boolean
  /** undefined: requests have no credentials. */
  readonly credentials: CredentialChain<BearerToken> | undefined
  /** The project that pays for requests. */
  readonly project?: string
}

/** The variables that decide. */
const VARIABLES = /^(GOOGLE_|CLOUDSDK_|STORAGE_EMULATOR_HOST$|GCE_METADATA_|NO_GCE_CHECK$|HOME$|APPDATA$)/

const known = new Map<string, GsSettings>()

/** The settings of this process: the same object as long as its variables are the same, so that credentials are got once. */
export function gsSettings(env: Environment = process.env): GsSettings {
  const own = Object.entries(env).filter(([name]) => VARIABLES.test(name))
  const key = JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)))
  const found = known.get(key) ?? readGsSettings(Object.fromEntries(own))
  known.set(key, found)
  return found
}

/** As Google's own libraries take them from the environment. @throws ConfigError `INVALID_CONFIG` */
export function readGsSettings(env: Environment): GsSettings {
  const emulator = env.STORAGE_EMULATOR_HOST
  const named = emulator || env.CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE || 'https://storage.googleapis.com'
  const endpoint = (/^https?:\/\//i.test(named) ? named : `http://${named}`).replace(/\/+$/, '')
  if (URL.parse(endpoint) === null) {
    throw new ConfigError(
      'INVALID_CONFIG',
      `STORAGE_EMULATOR_HOST "${named}": expected an address such as http://localhost:4443.`,
    )
  }
  const isAnonymous = Boolean(emulator) || /^(1|true|yes)$/i.test(env.CLOUDSDK_AUTH_DISABLE_CREDENTIALS ?? '')
  return {
    endpoint,
    isEmulator: Boolean(emulator),
    credentials: isAnonymous ? undefined : findGoogleCredentials(env),
    ...given({ project: env.GOOGLE_CLOUD_QUOTA_PROJECT || undefined }),
  }
}
