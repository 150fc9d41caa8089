import { type BearerToken, bearerHeaders } from '../objects/credentials/bearer-token.ts'
import { assertKey, encodeQuery, encodeStrictly, showObjectAddress } from '../objects/object-address.ts'
import type { ObjectRequest } from '../objects/object-request.ts'
import type { ObjectProtocol, SignedRequest } from '../objects/object-service.ts'
import { type ErrorCodes, kindOfError, type SaidError } from '../objects/said-error.ts'
import type { GsSettings } from './gs-settings.ts'

/** What the reasons of errors mean. */
const KINDS: ErrorCodes = [
  ['missing', /^notFound$/],
  ['forbidden', /^(forbidden|insufficientPermissions|required)$/],
  ['expired', /^(authError|expired)$/],
  ['refused', /^(accountDisabled|userProjectAccountProblem|userProjectMissing|countryBlocked)$/],
  ['slow down', /^(rateLimitExceeded|userRateLimitExceeded)$/],
  ['passing', /^(backendError|internalError|uploadBrokenConnection)$/],
]

/** How a bucket of Google Cloud Storage is asked: by its JSON interface, with tokens. */
export class GsProtocol implements ObjectProtocol<BearerToken> {
  readonly noun = 'bucket'
  readonly bucket: string
  readonly host: string
  readonly credentials: GsSettings['credentials']
  readonly addressSettings = 'STORAGE_EMULATOR_HOST'
  readonly credentialSettings = 'set GOOGLE_APPLICATION_CREDENTIALS, or run "gcloud auth application-default login"'
  readonly #settings: GsSettings

  constructor(bucket: string, settings: GsSettings) {
    this.bucket = bucket
    this.credentials = settings.credentials
    this.#settings = settings
    this.host = new URL(settings.endpoint).host
  }

  where(key: string): string {
    return showObjectAddress({ scheme: 'gs', bucket: this.bucket, key })
  }

  sign({ key, path, query = [], headers }: ObjectRequest, held: BearerToken | undefined): SignedRequest {
    assertKey(this.where(key), key)
    const { endpoint, project } = this.#settings
    const objects = `/storage/v1/b/${encodeStrictly(this.bucket)}/o`
    const place = path ?? (key === '' ? objects : `${objects}/${encodeStrictly(key)}`)
    const url = new URL((/^https?:/.test(place) ? '' : endpoint) + place + encodeQuery(query))
    // Only the service gets tokens, whatever address an answer names.
    const isOwn = url.host === this.host
    return {
      url,
      headers: {
        ...headers,
        ...(isOwn ? bearerHeaders(held) : {}),
        ...(project === undefined ? {} : { 'x-goog-user-project': project }),
      },
    }
  }

  errorIn(status: number, headers: Headers, text: string): SaidError {
    const { code, message } = errorInJson(text)
    const kind = kindOfError(KINDS, code)
    if (/bucket does not exist/i.test(message)) return { code, message, kind: 'no bucket' }
    if (kind !== undefined) return { code, message, kind }
    // Errors of downloads are plain text.
    const words = text.trim().slice(0, 500)
    const isService = headers.has('x-guploader-uploadid')
    if (status === 404 && (isService || /^No such object/i.test(words) || this.#isEmulatorSaying(words, 'Not Found'))) {
      return { code: 'notFound', message: words, kind: /bucket does not exist/i.test(words) ? 'no bucket' : 'missing' }
    }
    if (status === 401) {
      // An anonymous request is one that may not read; with a token, the token is no longer good.
      return {
        code: code || 'authError',
        message: message || words,
        kind: /^anonymous/i.test(words) ? 'forbidden' : 'expired',
      }
    }
    return status === 403 && isService
      ? { code: 'forbidden', message: words, kind: 'forbidden' }
      : { code, message: message || (isService ? words : '') }
  }

  #isEmulatorSaying(words: string, wanted: string): boolean {
    return this.#settings.isEmulator && words === wanted
  }
}

/** What Google's JSON says in an error; '' for what is none. */
function errorInJson(text: string): { readonly code: string; readonly message: string } {
  try {
    const { error } = JSON.parse(text) as {
      readonly error?: { readonly message?: unknown; readonly errors?: readonly { readonly reason?: unknown }[] }
    }
    const reason = error?.errors?.[0]?.reason
    return { code: typeof reason === 'string' ? reason : '', message: String(error?.message ?? '') }
  } catch {
    return { code: '', message: '' }
  }
}
