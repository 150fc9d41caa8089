import type { ObjectAnswer } from '../objects/answer.ts'
import { bearerHeaders } from '../objects/credentials/bearer-token.ts'
import { assertKey, encodeQuery, encodeStrictly, showObjectAddress } from '../objects/object-address.ts'
import type { ObjectRequest } from '../objects/object-request.ts'
import type { ObjectProtocol, SignedRequest } from '../objects/object-service.ts'
import { type ErrorCodes, kindOfError, type SaidError } from '../objects/said-error.ts'
import { ServiceClock } from '../objects/service-clock.ts'
import { textOf } from '../objects/xml.ts'
import type { AzureSettings } from './azure-settings.ts'
import type { AzureCredentials } from './credentials/azure-credentials.ts'
import { sharedKeyHeader } from './shared-key.ts'

/** The version of the interface. */
const VERSION = '2021-12-02'
/** A clock that is wrong by more than this is why a signature is refused. */
const CLOCK_MS = 5 * 60_000

/** What the codes of answers mean. */
const KINDS: ErrorCodes = [
  ['missing', /^(BlobNotFound|ResourceNotFound)$/],
  ['no bucket', /^(ContainerNotFound|InvalidResourceName)$/],
  ['forbidden', /^AuthorizationPermissionMismatch$/],
  ['expired', /^InvalidAuthenticationInfo$/],
  [
    'refused',
    /^(AuthenticationFailed|AuthorizationFailure|NoAuthenticationInformation|InsufficientAccountPermissions|PublicAccessNotPermitted|AccountIsDisabled|Authorization\w+Mismatch)$/,
  ],
  ['slow down', /^ServerBusy$/],
  ['passing', /^(InternalError|OperationTimedOut|Md5Mismatch|ContainerBeingDeleted)$/],
  ['exists', /^(BlobAlreadyExists|DirectoryIsNotEmpty)$/],
]

/** How a container of Azure Blob Storage is asked: with the account's key, with a signature of others, or with a token. */
export class AzureProtocol implements ObjectProtocol<AzureCredentials> {
  readonly noun = 'container'
  readonly bucket: string
  readonly host: string
  readonly credentials: AzureSettings['credentials']
  readonly addressSettings = 'the name of the account and AZURE_STORAGE_CONNECTION_STRING'
  readonly credentialSettings =
    'set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or run "az login"'
  readonly #settings: AzureSettings
  readonly #container: string
  readonly #clock = new ServiceClock(CLOCK_MS)

  /** @param bucket `account/container` */
  constructor(bucket: string, settings: AzureSettings) {
    this.bucket = bucket
    this.credentials = settings.credentials
    this.#settings = settings
    this.#container = bucket.slice(bucket.indexOf('/') + 1)
    this.host = new URL(settings.endpoint).host
  }

  where(key: string): string {
    return showObjectAddress({ scheme: 'az', bucket: this.bucket, key })
  }

  sign(
    { method, key, query = [], headers = {}, body }: ObjectRequest,
    held: AzureCredentials | undefined,
  ): SignedRequest {
    assertKey(this.where(key), key)
    const { endpoint, account } = this.#settings
    const path = key === '' ? '' : `/${key.split('/').map(encodeStrictly).join('/')}`
    const url = new URL(`${endpoint}/${encodeStrictly(this.#container)}${path}${encodeQuery(query)}`)
    const all: Record<string, string> = {
      ...headers,
      'x-ms-date': this.#clock.date.toUTCString(),
      'x-ms-version': VERSION,
    }
    if (held === undefined) return { url, headers: all }
    if ('token' in held) return { url, headers: { ...all, ...bearerHeaders(held) } }
    if ('signature' in held) {
      const signed = new URL(`${url}${url.search === '' ? '?' : '&'}${held.signature}`)
      return { url: signed, headers: all }
    }
    const unsigned = { method, url, headers: all, bytes: body?.length ?? 0 }
    return { url, headers: { ...all, authorization: sharedKeyHeader(unsigned, account, held.key) } }
  }

  errorIn(_status: number, headers: Headers, text: string): SaidError {
    const code = headers.get('x-ms-error-code') ?? textOf(text, 'Code') ?? ''
    const detail = textOf(text, 'AuthenticationErrorDetail') ?? ''
    const [message = ''] = (textOf(text, 'Message') ?? '').split('\n')
    const said = detail === '' ? message : detail
    // Signatures of others are valid for a time.
    if (code === 'AuthenticationFailed' && /time frame|expired/i.test(said))
      return { code, message: said, kind: 'expired' }
    return { code, message: said, kind: kindOfError(KINDS, code) }
  }

  mend({ code, headers }: ObjectAnswer): boolean {
    return code === 'AuthenticationFailed' && this.#clock.follow(headers)
  }
}
