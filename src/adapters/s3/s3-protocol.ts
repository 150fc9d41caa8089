import type { ObjectAnswer } from '../objects/answer.ts'
import { showObjectAddress } from '../objects/object-address.ts'
import type { ObjectRequest } from '../objects/object-request.ts'
import type { ObjectProtocol, SignedRequest } from '../objects/object-service.ts'
import { type ErrorCodes, kindOfError, type SaidError } from '../objects/said-error.ts'
import { ServiceClock } from '../objects/service-clock.ts'
import { textOf } from '../objects/xml.ts'
import type { Credentials } from './credentials/credentials.ts'
import { webAddressOf } from './s3-address.ts'
import type { S3Settings } from './s3-settings.ts'
import { signedHeaders } from './signature.ts'

const EMPTY = new Uint8Array(0)

/** What the codes of answers mean. */
const KINDS: ErrorCodes = [
  ['missing', /^NoSuch(Key|Version|Upload)$/],
  ['no bucket', /^(NoSuchBucket|InvalidBucketName)$/],
  ['forbidden', /^AccessDenied$/],
  ['expired', /^(ExpiredToken|ExpiredTokenException|TokenRefreshRequired|RequestExpired)$/],
  [
    'refused',
    /^(AllAccessDisabled|InvalidAccessKeyId|InvalidSecurity|InvalidToken|SignatureDoesNotMatch|AccountProblem)$/,
  ],
  [
    'slow down',
    /^(SlowDown|SlowDownRead|SlowDownWrite|TooManyRequests|RequestLimitExceeded|Throttling|ThrottlingException)$/,
  ],
  // It was damaged on its way, or met another one.
  [
    'passing',
    /^(RequestTimeout|BadDigest|XAmzContentSHA256Mismatch|IncompleteBody|OperationAborted|ConditionalRequestConflict)$/,
  ],
]

/** What S3's XML says in an error. */
export function errorInXml(text: string): SaidError {
  const code = textOf(text, 'Code') ?? ''
  const kind = kindOfError(KINDS, code)
  return { code, message: textOf(text, 'Message') ?? '', kind }
}

/** How a bucket of S3 is asked: signed for its region, by the clock of the service. */
export class S3Protocol implements ObjectProtocol<Credentials> {
  readonly noun = 'bucket'
  readonly bucket: string
  readonly host: string
  readonly credentials: S3Settings['credentials']
  readonly addressSettings = 'AWS_ENDPOINT_URL and AWS_REGION'
  readonly credentialSettings = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE'
  readonly #settings: S3Settings
  #region: string
  readonly #clock = new ServiceClock(60_000)

  constructor(bucket: string, settings: S3Settings) {
    this.bucket = bucket
    this.credentials = settings.credentials
    this.#settings = settings
    this.#region = settings.region
    this.host = webAddressOf(settings, { bucket, key: '' }).host
  }

  where(key: string): string {
    return showObjectAddress({ scheme: 's3', bucket: this.bucket, key })
  }

  sign(request: ObjectRequest, credentials: Credentials | undefined): SignedRequest {
    const { method, key, query, headers = {}, body = EMPTY } = request
    const region = this.#region
    const url = webAddressOf({ ...this.#settings, region }, { bucket: this.bucket, key }, query)
    if (credentials === undefined) return { url, headers }
    const scope = { region, service: 's3', date: this.#clock.date }
    return { url, headers: signedHeaders({ method, url, headers, body }, credentials, scope) }
  }

  errorIn(_status: number, _headers: Headers, text: string): SaidError {
    return errorInXml(text)
  }

  mend({ code, headers }: ObjectAnswer): boolean {
    if (code === 'RequestTimeTooSkewed') return this.#clock.follow(headers)
    const region = headers.get('x-amz-bucket-region')
    if (region === null || region === this.#region || !/^[\w-]+$/.test(region)) return false
    this.#region = region
    return true
  }
}
