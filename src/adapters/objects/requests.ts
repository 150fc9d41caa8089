import { setTimeout as delay } from 'node:timers/promises'
import { BlockwiseError } from '../../core/errors.ts'
import { type ObjectAnswer, readAnswer, TooLong } from './answer.ts'
import type { Expiring } from './credentials/credential-chain.ts'
import { IdleLimit } from './idle-limit.ts'
import type { ObjectOptions, ObjectRequest } from './object-request.ts'
import type { ObjectProtocol, ObjectRequests } from './object-service.ts'
import { answerError, connectionError, type Failure, isPassing, isSlowDown } from './request-errors.ts'
import { RequestLimit } from './request-limit.ts'

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
export class ServiceRequests implements ObjectRequests {
  readonly protocol: ObjectProtocol
  readonly #options: Required<Omit<ObjectOptions, 'partBytes'>>
  readonly #limit: RequestLimit
  #hasAnswered = false

  constructor(protocol: ObjectProtocol, options: ObjectOptions = {}) {
    this.protocol = protocol
    this.#options = { retries: 8, retryDelayMs: 200, timeoutMs: 60_000, ...options }
    this.#limit = limitOf(protocol.host)
  }

  async send(first: ObjectRequest): Promise<ObjectAnswer> {
    const { retryDelayMs } = this.#options
    let request = first
    for (let attempt = 0; ; attempt++) {
      const retry = await this.#try(request, attempt)
      if ('answer' in retry) return retry.answer
      request = request.again ?? request
      if (retry.isAtOnce) continue
      const wait = Math.min(MOST_WAIT_MS, retryDelayMs * 2 ** attempt) * Math.random()
      await delay(wait, undefined, request.signal ? { signal: request.signal } : {})
    }
  }

  /** @throws the error of the last attempt */
  async #try(
    request: ObjectRequest,
    attempt: number,
  ): Promise<{ readonly answer: ObjectAnswer } | { readonly isAtOnce: boolean }> {
    const { retries } = this.#options
    const failure = this.#failure(request)
    const { credentials: chain, host } = this.protocol
    let credentials: Expiring | undefined
    let answer: ObjectAnswer
    try {
      credentials = await chain?.get()
      answer = await this.#limit.during(() => this.#attempt(request, credentials))
    } catch (error) {
      request.signal?.throwIfAborted()
      if (error instanceof BlockwiseError) throw error
      const most = this.#hasAnswered ? retries : Math.min(retries, FIRST_RETRIES)
      if (attempt < most && !(error instanceof TooLong)) return { isAtOnce: false }
      throw connectionError(error, failure, host, !this.#hasAnswered)
    }
    this.#hasAnswered = true
    if (isSlowDown(answer)) this.#limit.noteSlowDown()
    else this.#limit.noteSuccess()
    if (isGood(answer, request)) {
      const wrong = request.wrong?.(answer)
      if (wrong === undefined) return { answer }
      if (attempt < retries) return { isAtOnce: false }
      throw connectionError(new Error(wrong), failure, host, false)
    }
    if (attempt < retries) {
      if (await this.#mend(answer, credentials)) return { isAtOnce: true }
      if (isPassing(answer)) return { isAtOnce: false }
    }
    throw answerError(answer, failure, chain?.source)
  }

  /** Whether the same request is answered otherwise now: with new credentials, in the right region, or by the service's clock. */
  async #mend(answer: ObjectAnswer, credentials: Expiring | undefined): Promise<boolean> {
    if (answer.kind === 'expired') return (await this.protocol.credentials?.renew(credentials)) ?? false
    return this.protocol.mend?.(answer) ?? false
  }

  async #attempt(request: ObjectRequest, credentials: Expiring | undefined): Promise<ObjectAnswer> {
    const { method, body = EMPTY, signal } = request
    await request.before?.()
    const { url, headers } = this.protocol.sign(request, credentials)
    using idle = new IdleLimit(this.#options.timeoutMs + body.length / SLOWEST_BYTES_PER_MS)
    const response = await fetch(url, {
      method,
      headers: { 'accept-encoding': 'identity', ...headers },
      redirect: 'manual',
      signal: idle.with(signal),
      ...(method === 'PUT' || method === 'POST' ? { body: body as Uint8Array<ArrayBuffer> } : {}),
    })
    idle.restart()
    // Waited for here: the limit ends with this function.
    const limits = { atMost: request.atMost, into: request.into, received: idle.restart }
    return await readAnswer(response, limits, (...said) => this.protocol.errorIn(...said))
  }

  /** The error for an answer that was expected, and is none after all. */
  errorOf(answer: ObjectAnswer, request: Pick<ObjectRequest, 'action' | 'key'>): BlockwiseError {
    return answerError(answer, this.#failure(request), this.protocol.credentials?.source)
  }

  #failure({ action, key }: Pick<ObjectRequest, 'action' | 'key'>): Failure {
    const { noun, bucket, addressSettings, credentialSettings } = this.protocol
    return { action, bucket: `${noun} ${bucket}`, where: this.protocol.where(key), addressSettings, credentialSettings }
  }
}

/** With what a service says that an object is missing, or may not be read: a proxy that can't reach it has these statuses, too. */
const OWN_KINDS: Readonly<Record<number, string>> = {
  401: 'forbidden',
  403: 'forbidden',
  404: 'missing',
  409: 'exists',
}

const isGood = ({ status, kind }: ObjectAnswer, { expected = [] }: ObjectRequest): boolean =>
  (status >= 200 && status < 300) || (expected.includes(status) && (OWN_KINDS[status] ?? kind) === kind)
