import { readFileSync } from 'node:fs'
import type { CredentialSource, Environment } from '../../objects/credentials/credential-chain.ts'
import { fetchText, sourceFailed } from '../../objects/credentials/fetch-text.ts'
import type { Credentials } from './credentials.ts'

/** Most of the machines that ask have no such service, and wait for nothing. */
const INSTANCE_TIMEOUT_MS = 1000
const CONTAINER_TIMEOUT_MS = 5000
const INSTANCE_SERVICE = 'http://169.254.169.254'
const CONTAINER_SERVICE = 'http://169.254.170.2'

/** Credentials of the role of a container, in ECS and EKS. */
export const containerSource = (env: Environment): CredentialSource<Credentials> => ({
  name: 'the container',
  remedy: 'check the role of the container',
  async load() {
    const relative = env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    const url = relative ? CONTAINER_SERVICE + relative : env.AWS_CONTAINER_CREDENTIALS_FULL_URI
    if (!url) return undefined
    const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    try {
      const token = file ? readFileSync(file, 'utf8').trim() : env.AWS_CONTAINER_AUTHORIZATION_TOKEN
      const headers = token ? { authorization: token } : {}
      return parseHandedOut(await fetchText(url, { headers, timeoutMs: CONTAINER_TIMEOUT_MS }))
    } catch (error) {
      throw sourceFailed('the container', error)
    }
  },
})

/** Credentials of the role of an instance of EC2, with version 2 of its service. */
export const instanceSource = (env: Environment): CredentialSource<Credentials> => ({
  name: 'the instance',
  remedy: 'check the role of the instance',
  async load() {
    if (/^true$/i.test(env.AWS_EC2_METADATA_DISABLED ?? '')) return undefined
    const base = (env.AWS_EC2_METADATA_SERVICE_ENDPOINT ?? INSTANCE_SERVICE).replace(/\/+$/, '')
    let token: string
    try {
      token = await fetchText(`${base}/latest/api/token`, {
        method: 'PUT',
        headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '300' },
        timeoutMs: INSTANCE_TIMEOUT_MS,
      })
    } catch {
      // This is no instance.
      return undefined
    }
    try {
      const request = { headers: { 'x-aws-ec2-metadata-token': token }, timeoutMs: CONTAINER_TIMEOUT_MS }
      const roles = `${base}/latest/meta-data/iam/security-credentials/`
      const [role = ''] = (await fetchText(roles, request)).trim().split('\n')
      return parseHandedOut(await fetchText(roles + role, request))
    } catch (error) {
      // An instance without a role.
      if (/^status 404/.test((error as Error).message)) return undefined
      throw sourceFailed('the instance', error)
    }
  },
})

/** Credentials as the services of containers and instances, and programs, write them. @throws Error for anything else */
export function parseHandedOut(text: string): Credentials {
  const found = JSON.parse(text) as Readonly<Record<string, unknown>>
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Expiration: expiration } = found
  const sessionToken = found.Token ?? found.SessionToken
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') {
    throw new Error('expected AccessKeyId and SecretAccessKey')
  }
  const expires = typeof expiration === 'string' ? Date.parse(expiration) : Number.NaN
  return {
    accessKeyId,
    secretAccessKey,
    ...(typeof sessionToken === 'string' ? { sessionToken } : {}),
    ...(Number.isFinite(expires) ? { expires } : {}),
  }
}
