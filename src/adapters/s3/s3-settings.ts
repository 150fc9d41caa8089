import { ConfigError } from '../../core/errors.ts'
import type { CredentialChain, Environment } from '../objects/credentials/credential-chain.ts'
import type { Credentials } from './credentials/credentials.ts'
import { findCredentials } from './credentials/find-credentials.ts'
import { profileName, readProfile } from './credentials/profile-files.ts'
import type { S3Endpoint } from './s3-address.ts'

/** How a bucket is reached, and with which credentials. */
export interface S3Settings extends S3Endpoint {
  /** undefined: requests are not signed, because the user said so. */
  readonly credentials: CredentialChain<Credentials> | undefined
}

/** The variables that decide. */
const VARIABLES = /^(AWS_|HOME$)/

const known = new Map<string, S3Settings>()

/** The settings of this process: the same object as long as its variables are the same, so that credentials are got once. */
export function s3Settings(env: Environment = process.env): S3Settings {
  const own = Object.entries(env).filter(([name]) => VARIABLES.test(name))
  const key = JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)))
  const found = known.get(key) ?? readSettings(Object.fromEntries(own))
  known.set(key, found)
  return found
}

/** As AWS's own programs take them from the environment and the profile. */
export function readSettings(env: Environment): S3Settings {
  const profile = readProfile(profileName(env), env) ?? {}
  const isOn = (name: string) => /^(1|true|yes)$/i.test(env[name] ?? '')
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || profile.region || 'us-east-1'
  if (!/^[\w-]+$/.test(region)) {
    throw new ConfigError('INVALID_CONFIG', `AWS_REGION "${region}": expected a name such as eu-central-1.`)
  }
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || profile['s3.endpoint_url'] || profile.endpoint_url
  const style = profile['s3.addressing_style']
  const isVirtual = isOn('AWS_VIRTUAL_HOSTED_STYLE_REQUEST') || style === 'virtual'
  return {
    endpoint: endpoint || undefined,
    region,
    // Servers of one's own seldom have a name for each bucket.
    isPathStyle: style === 'path' || (Boolean(endpoint) && !isVirtual),
    credentials: isOn('AWS_NO_SIGN_REQUEST') || isOn('AWS_SKIP_SIGNATURE') ? undefined : findCredentials(env, region),
  }
}
