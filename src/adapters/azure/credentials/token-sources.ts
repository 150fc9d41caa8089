import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { type BearerToken, fetchToken, formOf, parseToken } from '../../objects/credentials/bearer-token.ts'
import type { CredentialSource, Environment } from '../../objects/credentials/credential-chain.ts'
import { fetchText, sourceFailed } from '../../objects/credentials/fetch-text.ts'

type TokenSource = CredentialSource<BearerToken>

const RESOURCE = 'https://storage.azure.com/'
const MACHINE_SERVICE = 'http://169.254.169.254'
/** Most of the machines that ask have no such service, and wait for nothing. */
const MACHINE_TIMEOUT_MS = 1000
const CLI_TIMEOUT_MS = 30_000
const execute = promisify(execFile)

const tokenAddress = (env: Environment): string =>
  `${(env.AZURE_AUTHORITY_HOST || 'https://login.microsoftonline.com').replace(/\/+$/, '')}/${env.AZURE_TENANT_ID}/oauth2/v2.0/token`

/** An application with a secret. */
export const principalSource = (env: Environment): TokenSource => ({
  name: 'AZURE_CLIENT_SECRET',
  remedy: 'set AZURE_CLIENT_SECRET to a new secret of the application',
  async load() {
    const { AZURE_CLIENT_ID: id, AZURE_CLIENT_SECRET: secret, AZURE_TENANT_ID: tenant } = env
    if (!id || !secret || !tenant) return undefined
    const form = {
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
      scope: `${RESOURCE}.default`,
    }
    return fetchToken('the application AZURE_CLIENT_ID', tokenAddress(env), formOf(form))
  },
})

/** An application that another service vouches for, as in Kubernetes. */
export const workloadSource = (env: Environment): TokenSource => ({
  name: 'the workload identity (AZURE_FEDERATED_TOKEN_FILE)',
  remedy: 'check the identity AZURE_CLIENT_ID and whom it trusts',
  async load() {
    const { AZURE_CLIENT_ID: id, AZURE_FEDERATED_TOKEN_FILE: file, AZURE_TENANT_ID: tenant } = env
    if (!id || !file || !tenant) return undefined
    let assertion: string
    try {
      assertion = readFileSync(file, 'utf8').trim()
    } catch (error) {
      throw sourceFailed('the workload identity', error)
    }
    const form = {
      grant_type: 'client_credentials',
      client_id: id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
      scope: `${RESOURCE}.default`,
    }
    return fetchToken('the workload identity', tokenAddress(env), formOf(form))
  },
})

/** The identity of a machine in Azure, or of an application there. */
export const managedSource = (env: Environment): TokenSource => ({
  name: 'the managed identity',
  remedy: 'check the identity of the machine',
  async load() {
    const query: Record<string, string> = { resource: RESOURCE }
    if (env.AZURE_CLIENT_ID) query.client_id = env.AZURE_CLIENT_ID
    const ask = (url: string, version: string) => `${url}?${new URLSearchParams({ 'api-version': version, ...query })}`
    if (env.IDENTITY_ENDPOINT && env.IDENTITY_HEADER) {
      const headers = { 'x-identity-header': env.IDENTITY_HEADER }
      return fetchToken('the managed identity', ask(env.IDENTITY_ENDPOINT, '2019-08-01'), { headers })
    }
    const base = (env.AZURE_POD_IDENTITY_AUTHORITY_HOST || MACHINE_SERVICE).replace(/\/+$/, '')
    const url = ask(`${base}/metadata/identity/oauth2/token`, '2018-02-01')
    try {
      return parseToken(await fetchText(url, { headers: { metadata: 'true' }, timeoutMs: MACHINE_TIMEOUT_MS }))
    } catch {
      // This is no such machine, or it has no identity.
      return undefined
    }
  },
})

/** Whoever has signed in with the Azure CLI. */
export const cliSource = (env: Environment): TokenSource => ({
  name: 'the Azure CLI',
  remedy: 'run "az login"',
  async load() {
    let text: string
    try {
      const found = await execute('az', ['account', 'get-access-token', '--output', 'json', '--resource', RESOURCE], {
        timeout: CLI_TIMEOUT_MS,
        env: { ...process.env, ...env },
      })
      text = found.stdout
    } catch {
      // There is none, or nobody has signed in.
      return undefined
    }
    try {
      const { accessToken, expires_on: until } = JSON.parse(text) as Readonly<Record<string, unknown>>
      return parseToken(JSON.stringify({ access_token: accessToken, expires_on: until }))
    } catch (error) {
      throw sourceFailed('the Azure CLI', error)
    }
  },
})
