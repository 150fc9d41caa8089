import { readFileSync } from 'node:fs'
import type { CredentialSource, Environment } from '../../objects/credentials/credential-chain.ts'
import { fetchText, sourceFailed } from '../../objects/credentials/fetch-text.ts'
import { textOf } from '../../objects/xml.ts'
import { domainOf } from '../s3-address.ts'
import { signedHeaders } from '../signature.ts'
import type { Credentials } from './credentials.ts'

const TIMEOUT_MS = 10_000

/** Credentials of a role for the token of a web identity, as Kubernetes and CI services write it to a file. */
export const webIdentitySource = (env: Environment, region: string): CredentialSource<Credentials> => ({
  name: 'the web identity (AWS_WEB_IDENTITY_TOKEN_FILE)',
  remedy: 'check the role AWS_ROLE_ARN and what it trusts',
  async load() {
    const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role } = env
    if (!file || !role) return undefined
    return roleOfWebIdentity(
      { file, role, ...(env.AWS_ROLE_SESSION_NAME ? { session: env.AWS_ROLE_SESSION_NAME } : {}) },
      env,
      region,
    )
  },
})

export interface WebIdentity {
  readonly file: string
  readonly role: string
  readonly session?: string
}

/** @throws InfrastructureError `UNAUTHORIZED` */
export async function roleOfWebIdentity(
  { file, role, session = SESSION }: WebIdentity,
  env: Environment,
  region: string,
): Promise<Credentials> {
  try {
    const token = readFileSync(file, 'utf8').trim()
    const asked = {
      Action: 'AssumeRoleWithWebIdentity',
      RoleArn: role,
      RoleSessionName: session,
      WebIdentityToken: token,
    }
    return parseRole(await askForRole(asked, env, region))
  } catch (error) {
    throw sourceFailed(`the web identity in ${file} for the role ${role}`, error)
  }
}

/** Credentials of a role that others may take. @throws InfrastructureError `UNAUTHORIZED` */
export async function assumeRole(
  role: { readonly role: string; readonly session?: string; readonly externalId?: string },
  by: Credentials,
  env: Environment,
  region: string,
): Promise<Credentials> {
  const { role: arn, session = SESSION, externalId } = role
  const asked = {
    Action: 'AssumeRole',
    RoleArn: arn,
    RoleSessionName: session,
    ...(externalId ? { ExternalId: externalId } : {}),
  }
  try {
    return parseRole(await askForRole(asked, env, region, by))
  } catch (error) {
    throw sourceFailed(`the role ${arn}`, error)
  }
}

const SESSION = 'bellis'

function askForRole(
  asked: Readonly<Record<string, string>>,
  env: Environment,
  region: string,
  by?: Credentials,
): Promise<string> {
  const url = new URL(env.AWS_ENDPOINT_URL_STS ?? `https://sts.${region}.${domainOf(region)}/`)
  const body = new URLSearchParams({ ...asked, Version: '2011-06-15' }).toString()
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const request = { method: 'POST', url, headers, body: Buffer.from(body) } as const
  const signed = by === undefined ? headers : signedHeaders(request, by, { region, service: 'sts', date: new Date() })
  return fetchText(url.href, { method: 'POST', headers: signed, body, timeoutMs: TIMEOUT_MS })
}

/** @throws Error if the answer has no credentials */
function parseRole(xml: string): Credentials {
  const part = (name: string) => {
    const text = textOf(xml, name)
    if (text === undefined) throw new Error(`the answer has no ${name}`)
    return text
  }
  return {
    accessKeyId: part('AccessKeyId'),
    secretAccessKey: part('SecretAccessKey'),
    sessionToken: part('SessionToken'),
    expires: Date.parse(part('Expiration')),
  }
}
