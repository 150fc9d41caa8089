import { setTimeout as delay } from 'node:timers/promises'
import { BlockwiseError } from '../../core/errors.ts'
import type { Credentials } from './credentials/credentials.ts'
import { IdleLimit } from './idle-limit.ts'
import { RequestLimit } from './request-limit.ts'
import { type S3Address, showS3Address, webAddressOf } from './s3-address.ts'
import { readAnswer, type S3Answer, TooLong } from './s3-answer.ts'
import { answerError, connectionError, EXPIRED, type Failure, isPassing, isSlowDown } from './s3-errors.ts'
import type { S3Settings } from './s3-settings.ts'
import { signedHeaders } from './signature.ts'

export interface S3Options {
  /** Retries of a request after a lost connection or an error of the service that may pass. @default 8 */
  readonly retries?: number
  /** Longest wait before the first retry; doubled for each further one, up to 10 s. Each wait is a random part of it. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time in which nothing is received. @default 60000 */
  readonly timeoutMs?: number
}

export interface S3Request {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** What it does, for messages: `read`, `write`. */
  readonly action: string
  readonly key: string
  readonly query?: readonly (readonly [string, string])[]
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Most bytes of the answer. */
  readonly atMost: number
  /** Used for the answer if it has exactly this many bytes. */
  readonly into?: Uint8Array | undefined
  /** Statuses that are an answer beside 2xx. */
  readonly expected?: readonly number[]
  readonly signal?: AbortSignal | undefined
  /** Called before each attempt; if it throws, nothing is sent. */
  readonly before?: (() => Promise<void>) | undefined
  /** Why an answer can't be right; then the request is sent again. */
  readonly wrong?: (answer: S3Answer) => string | undefined
}

const MOST_WAIT_MS = 10_000
/** Retries while a service has never answered: the address may be wrong. */
const FIRST_RETRIES = 3
/** Slower uploads count as dead. */
const SLOWEST_BYTES_PER_MS = 32
const EMPTY = new Uint8Array(0)

/** Bounds are those of a service, for all buckets and datasets of this process. */
const limits = new Map<string, RequestLimit>()

function limitOf(host: string): RequestLimit {
  const limit = limits.get(host) ?? new RequestLimit()
  limits.set(host, limit)
  return limit
}

/** Sends requests for a bucket: signed, bounded in number, and again after errors that pass. */
export class S3Requests {
  readonly bucket: string
  readonly #settings: S3Settings
  readonly #options: Required<S3Options>
  readonly #limit: RequestLimit
  readonly #host: string
  #region: string
  #clockOffsetMs = 0
  #hasAnswered = false

  constructor(bucket: string, settings: S3Settings, options: S3Options = {}) {
    this.bucket = bucket
    this.#settings = settings
    this.#options = { retries: 8, retryDelayMs: 200, timeoutMs: 60_000, ...options }
    this.#region = settings.region
    this.#host = webAddressOf(settings, { bucket, key: '' }).host
    this.#limit = limitOf(this.#host)
  }

  /**
   * @returns an answer with a status of 2xx or one of the expected
   * @throws ConfigError `NO_SUCH_FILE` for a bucket that does not exist; InfrastructureError `UNAUTHORIZED`, `IO_ERROR`; what `before` throws
   */
  async send(request: S3Request): Promise<S3Answer> {
    const { retryDelayMs } = this.#options
    for (let attempt = 0; ; attempt++) {
      const retry = await this.#try(request, attempt)
      if ('answer' in retry) return retry.answer
      if (retry.isAtOnce) continue
      const wait = Math.min(MOST_WAIT_MS, retryDelayMs * 2 ** attempt) * Math.random()
      await delay(wait, undefined, request.signal ? { signal: request.signal } : {})
    }
  }

  /** @throws the error of the last attempt */
  async #try(
    request: S3Request,
    attempt: number,
  ): Promise<{ readonly answer: S3Answer } | { readonly isAtOnce: boolean }> {
    const { retries } = this.#options
    const failure = this.#failure(request)
    let credentials: Credentials | undefined
    let answer: S3Answer
    try {
      credentials = await this.#settings.credentials?.get()
      answer = await this.#limit.during(() => this.#attempt(request, credentials))
    } catch (error) {
      request.signal?.throwIfAborted()
      if (error instanceof BlockwiseError) throw error
      const most = this.#hasAnswered ? retries : Math.min(retries, FIRST_RETRIES)
      if (attempt < most && !(error instanceof TooLong)) return { isAtOnce: false }
      throw connectionError(error, failure, this.#host, !this.#hasAnswered)
    }
    this.#hasAnswered = true
    if (isSlowDown(answer)) this.#limit.noteSlowDown()
    else this.#limit.noteSuccess()
    if (isGood(answer, request)) {
      const wrong = request.wrong?.(answer)
      if (wrong === undefined) return { answer }
      if (attempt < retries) return { isAtOnce: false }
      throw connectionError(new Error(wrong), failure, this.#host, false)
    }
    if (attempt < retries) {
      if (await this.#mend(answer, credentials)) return { isAtOnce: true }
      if (isPassing(answer)) return { isAtOnce: false }
    }
    throw answerError(answer, failure, this.#settings.credentials?.source)
  }

  /** Whether the same request is answered otherwise now: with new credentials, in the right region, or by the service's clock. */
  async #mend({ code, headers }: S3Answer, credentials: Credentials | undefined): Promise<boolean> {
    if (EXPIRED.has(code)) return (await this.#settings.credentials?.renew(credentials)) ?? false
    if (code === 'RequestTimeTooSkewed') {
      const offset = Date.parse(headers.get('date') ?? '') - Date.now()
      const isNew = Number.isFinite(offset) && Math.abs(offset - this.#clockOffsetMs) > 60_000
      if (isNew) this.#clockOffsetMs = offset
      return isNew
    }
    const region = headers.get('x-amz-bucket-region')
    if (region === null || region === this.#region || !/^[\w-]+$/.test(region)) return false
    this.#region = region
    return true
  }

  async #attempt(request: S3Request, credentials: Credentials | undefined): Promise<S3Answer> {
    const { method, key, query = [], body = EMPTY, signal } = request
    await request.before?.()
    const url = webAddressOf({ ...this.#settings, region: this.#region }, { bucket: this.bucket, key }, query)
    const headers = { ...request.headers }
    const scope = { region: this.#region, service: 's3', date: new Date(Date.now() + this.#clockOffsetMs) }
    const signed =
      credentials === undefined ? headers : signedHeaders({ method, url, headers, body }, credentials, scope)
    using idle = new IdleLimit(this.#options.timeoutMs + body.length / SLOWEST_BYTES_PER_MS)
    const response = await fetch(url, {
      method,
      headers: { 'accept-encoding': 'identity', ...signed },
      redirect: 'manual',
      signal: idle.with(signal),
      ...(method === 'PUT' || method === 'POST' ? { body: body as Uint8Array<ArrayBuffer> } : {}),
    })
    idle.restart()
    // Waited for here: the limit ends with this function.
    return await readAnswer(response, { atMost: request.atMost, into: request.into, received: idle.restart })
  }

  /** The error for an answer that was expected, and is none after all. */
  errorOf(answer: S3Answer, request: Pick<S3Request, 'action' | 'key'>): BlockwiseError {
    return answerError(answer, this.#failure(request), this.#settings.credentials?.source)
  }

  #failure({ action, key }: Pick<S3Request, 'action' | 'key'>): Failure {
    const { bucket } = this
    return { action, bucket, where: showS3Address({ bucket, key } satisfies S3Address) }
  }
}

/** With what a service says that an object is missing, or may not be read: a proxy that can't reach it has these statuses, too. */
const CODES: Readonly<Record<number, RegExp>> = { 403: /^AccessDenied$/, 404: /^NoSuch(Key|Version|Upload)$/ }

const isGood = ({ status, code }: S3Answer, { expected = [] }: S3Request): boolean =>
  (status >= 200 && status < 300) || (expected.includes(status) && CODES[status]?.test(code) !== false)
