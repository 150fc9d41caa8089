import { type BlockwiseError, ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { ObjectAnswer } from './answer.ts'
import type { CredentialSource } from './credentials/credential-chain.ts'

export const isSlowDown = ({ status, kind }: ObjectAnswer): boolean =>
  status === 503 || status === 429 || kind === 'slow down'

export const isPassing = (answer: ObjectAnswer): boolean =>
  isSlowDown(answer) ||
  answer.kind === 'passing' ||
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
  /** `bucket data` */
  readonly bucket: string
  /** What to check in an address that leads nowhere, and what gives credentials. */
  readonly addressSettings: string
  readonly credentialSettings: string
}

/** Characters of what a service says. */
const MOST_WORDS = 500

/** @param source of the credentials; undefined if the request was not signed */
export function answerError(
  answer: ObjectAnswer,
  failure: Failure,
  source: CredentialSource | undefined,
): BlockwiseError {
  const { action, where, bucket, addressSettings, credentialSettings } = failure
  const words = [answer.code || `status ${answer.status}`, answer.message].filter(Boolean).join(': ')
  const said = words.slice(0, MOST_WORDS).replace(/\.$/, '')
  if (answer.kind === 'no bucket') {
    return new ConfigError(
      'NO_SUCH_FILE',
      `Can't ${action} ${where}: there is no ${bucket}; check its name and ${addressSettings}.`,
    )
  }
  if (answer.kind === 'expired') {
    return new InfrastructureError(
      'UNAUTHORIZED',
      `Can't ${action} ${where}: the credentials from ${source?.name ?? 'nowhere'} have expired; ${source?.remedy ?? 'get others'}, then run the same command again.`,
    )
  }
  if (answer.kind === 'refused' || answer.kind === 'forbidden' || answer.status === 401 || answer.status === 403) {
    const remedy =
      source === undefined
        ? `no credentials were used: ${credentialSettings}`
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
  { action, where, addressSettings }: Failure,
  host: string,
  isUnknown: boolean,
): InfrastructureError {
  const hint = isUnknown ? `; ${host} has not answered at all: check ${addressSettings}` : ''
  return new InfrastructureError('IO_ERROR', `Can't ${action} ${where}: ${describeFailure(cause)}${hint}.`, { cause })
}

/** What a request failed of: fetch only says "fetch failed"; the reason is the cause. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  return `${error.message} (${cause.message || (cause as NodeJS.ErrnoException).code || cause.name})`
}
