import { createSign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { InfrastructureError, messageOf } from '../../../core/errors.ts'
import { type BearerToken, fetchToken, formOf } from '../../objects/credentials/bearer-token.ts'
import { type CredentialFields, optional, textIn, unusable } from './credential-fields.ts'
import { tokenOfExternalAccount } from './external-account.ts'

const SCOPE = 'https://www.googleapis.com/auth/devstorage.read_write'
const TOKEN_SERVICE = 'https://oauth2.googleapis.com/token'
/** The longest life of a signed request for a token. */
const LIFE_S = 3600

/** A token for the credentials in a file of Google's. @throws InfrastructureError `UNAUTHORIZED` */
export async function tokenOfFile(file: string): Promise<BearerToken> {
  const fields = readFields(file)
  switch (fields.type) {
    case 'service_account':
      return serviceAccountToken(file, fields)
    case 'authorized_user':
      return userToken(file, fields)
    case 'external_account':
      return tokenOfExternalAccount(file, fields, SCOPE)
    default:
      throw unusable(file, `it has credentials of the type "${fields.type}"; use the key of a service account`)
  }
}

function readFields(file: string): CredentialFields {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof found === 'object' && found !== null) return found as CredentialFields
  } catch (error) {
    throw unusable(file, messageOf(error), error)
  }
  throw unusable(file, 'it has no credentials of Google')
}

/** A token for a private key, which signs the request for it. */
function serviceAccountToken(file: string, fields: CredentialFields): Promise<BearerToken> {
  const audience = optional(fields.token_uri) ?? TOKEN_SERVICE
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: textIn(file, fields, 'client_email'), scope: SCOPE, aud: audience, iat: now, exp: now + LIFE_S }
  const keyId = optional(fields.private_key_id)
  const header = { alg: 'RS256', typ: 'JWT', ...(keyId === undefined ? {} : { kid: keyId }) }
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  let signature: string
  try {
    signature = createSign('RSA-SHA256')
      .update(signed)
      .sign(textIn(file, fields, 'private_key'), 'base64url')
  } catch (error) {
    throw error instanceof InfrastructureError ? error : unusable(file, 'its private_key is no key', error)
  }
  const form = formOf({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: `${signed}.${signature}`,
  })
  return fetchToken(`the key in ${file}`, audience, form)
}

/** A token for a user who has signed in with gcloud. */
function userToken(file: string, fields: CredentialFields): Promise<BearerToken> {
  const form = formOf({
    grant_type: 'refresh_token',
    client_id: textIn(file, fields, 'client_id'),
    client_secret: textIn(file, fields, 'client_secret'),
    refresh_token: textIn(file, fields, 'refresh_token'),
  })
  return fetchToken(`the sign-in in ${file}`, optional(fields.token_uri) ?? TOKEN_SERVICE, form)
}
