import { readFileSync } from 'node:fs'
import { messageOf } from '../../../core/errors.ts'
import { given } from '../../../core/given.ts'
import { type BearerToken, bearerHeaders, fetchToken, formOf } from '../../objects/credentials/bearer-token.ts'
import { fetchText, sourceFailed } from '../../objects/credentials/fetch-text.ts'
import { type CredentialFields, optional, textIn, unusable } from './credential-fields.ts'

const TOKEN_EXCHANGE = 'https://sts.googleapis.com/v1/token'
const CLOUD_SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TIMEOUT_MS = 10_000

/**
 * A token for an identity that another service vouches for, such as one of Kubernetes or of a CI service, from a file or an address.
 * @throws InfrastructureError `UNAUTHORIZED`
 */
export async function tokenOfExternalAccount(
  file: string,
  fields: CredentialFields,
  scope: string,
): Promise<BearerToken> {
  const source = `the identity in ${file}`
  const role = optional(fields.service_account_impersonation_url)
  const form = formOf({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: textIn(file, fields, 'audience'),
    subject_token_type: textIn(file, fields, 'subject_token_type'),
    subject_token: await subjectToken(file, fields),
    scope: role === undefined ? scope : CLOUD_SCOPE,
  })
  const exchanged = await fetchToken(source, optional(fields.token_url) ?? TOKEN_EXCHANGE, form)
  return role === undefined ? exchanged : impersonate(source, role, exchanged, scope)
}

async function subjectToken(file: string, { credential_source: source }: CredentialFields): Promise<string> {
  const { file: path, url, headers, format } = (source ?? {}) as CredentialFields
  const { type, subject_token_field_name: name } = (format ?? {}) as CredentialFields
  let text: string
  try {
    if (typeof path === 'string') text = readFileSync(path, 'utf8').trim()
    else if (typeof url === 'string') {
      text = await fetchText(url, {
        ...given({ headers: headers as Record<string, string> | undefined }),
        timeoutMs: TIMEOUT_MS,
      })
    } else throw new Error('its token comes from no file or address; use the key of a service account')
    const found: unknown = type === 'json' ? JSON.parse(text)[String(name)] : text
    if (typeof found !== 'string') throw new Error(`there is no "${name}" in its token`)
    return found
  } catch (error) {
    throw unusable(file, messageOf(error), error)
  }
}

/** The token of a service account that an identity may act for. */
async function impersonate(source: string, url: string, by: BearerToken, scope: string): Promise<BearerToken> {
  try {
    const text = await fetchText(url, {
      method: 'POST',
      headers: { ...bearerHeaders(by), 'content-type': 'application/json' },
      body: JSON.stringify({ scope: [scope] }),
      timeoutMs: TIMEOUT_MS,
    })
    const { accessToken: token, expireTime } = JSON.parse(text) as CredentialFields
    if (typeof token !== 'string') throw new Error('expected an accessToken')
    const expires = Date.parse(String(expireTime))
    return { token, ...given({ expires: Number.isFinite(expires) ? expires : undefined }) }
  } catch (error) {
    throw sourceFailed(source, error)
  }
}
