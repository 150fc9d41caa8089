import { type BlockwiseError, ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { CredentialSource } from './credentials/credentials.ts'
import type { S3Answer } from './s3-answer.ts'

/** Codes of answers that say that the credentials are no longer valid: others are needed, or the same once more. */
export const EXPIRED: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'RequestExpired',
])

/** Codes of answers that refuse this user. */
const REFUSED: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AllAccessDisabled',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'InvalidToken',
  'SignatureDoesNotMatch',
  'AccountProblem',
])

/** Codes of answers that ask to send less. */
const SLOW_DOWN: ReadonlySet<string> = new Set([
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'TooManyRequests',
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
])

/** Codes with a status below 500 after which the same request may succeed: it was damaged on its way, or met another one. */
const PASSING: ReadonlySet<string> = new Set([
  'RequestTimeout',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
  'OperationAborted',
  'ConditionalRequestConflict',
])

export const isSlowDown = ({ status, code }: S3Answer): boolean =>
  status === 503 || status === 429 || SLOW_DOWN.has(code)

export const isPassing = (answer: S3Answer): boolean =>
  isSlowDown(answer) ||
  PASSING.has(answer.code) ||
  answer.status === 408 ||
  (answer.status >= 500 && answer.status !== 501) ||
  // Not the service's own answer: it says what is missing.
  (answer.status === 404 && answer.code === '')

/** A request that could not be done. */
export interface Failure {
  /** `read`, `write` */
  readonly action: string
  /** `s3://bucket/key` */
  readonly where: string
  readonly bucket: string
}

/** Characters of what a service says. */
const MOST_WORDS = 500

/** Whether the bucket does not exist. */
const isNoBucket = ({ code }: S3Answer): boolean => code === 'NoSuchBucket' || code === 'InvalidBucketName'

/** @param source of the credentials; undefined if the request was not signed */
export function answerError(answer: S3Answer, failure: Failure, source: CredentialSource | undefined): BlockwiseError {
  const { action, where, bucket } = failure
  const words = [answer.code || `status ${answer.status}`, answer.message].filter(Boolean).join(': ')
  const said = words.slice(0, MOST_WORDS).replace(/\.$/, '')
  if (isNoBucket(answer)) {
    return new ConfigError(
      'NO_SUCH_FILE',
      `Can't ${action} ${where}: there is no bucket ${bucket}; check its name and AWS_ENDPOINT_URL.`,
    )
  }
  if (EXPIRED.has(answer.code)) {
    return new InfrastructureError(
      'UNAUTHORIZED',
      `Can't ${action} ${where}: the credentials from ${source?.name ?? 'nowhere'} have expired; ${source?.remedy ?? 'get others'}, then run the same command again.`,
    )
  }
  if (REFUSED.has(answer.code) || answer.status === 401 || answer.status === 403) {
    const remedy =
      source === undefined
        ? 'no credentials were used: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE'
        : `check the permissions of the credentials from ${source.name}`
    return new InfrastructureError(
      'UNAUTHORIZED',
      `Can't ${action} ${where}: the service refused (${said}); ${remedy}.`,
    )
  }
  return new InfrastructureError('IO_ERROR', `Can't ${action} ${where}: ${said}.`)
}

/** @param isUnknown whether the service has never answered */
export function connectionError(
  cause: unknown,
  { action, where }: Failure,
  host: string,
  isUnknown: boolean,
): InfrastructureError {
  const hint = isUnknown ? `; ${host} has not answered at all: check AWS_ENDPOINT_URL and AWS_REGION` : ''
  return new InfrastructureError('IO_ERROR', `Can't ${action} ${where}: ${describeFailure(cause)}${hint}.`, { cause })
}

/** What a request failed of: fetch only says "fetch failed"; the reason is the cause. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return `${error.message} (${cause.message || (cause as NodeJS.ErrnoException).code || cause.name})`
}
