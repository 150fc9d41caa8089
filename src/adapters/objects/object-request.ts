import type { ObjectAnswer } from './answer.ts'

/** How requests are made. */
export interface ObjectOptions {
  /** Retries of a request after a lost connection or an error of the service that may pass. @default 8 */
  readonly retries?: number
  /** Longest wait before the first retry; doubled for each further one, up to 10 s. Each wait is a random part of it. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time in which nothing is received. @default 60000 */
  readonly timeoutMs?: number
  /** Larger objects are written in parts of this size, which become visible together; a multiple of 256 KiB. @default 32 MiB */
  readonly partBytes?: number
}

/** One request to a service. */
export interface ObjectRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  /** What it does, for messages: `read`, `write`. */
  readonly action: string
  readonly key: string
  /** In place of that of the object; an address if it is another server's. */
  readonly path?: string | undefined
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
  /** Sent in place of this request after a failure, if what it does can be asked for: it may have been done. */
  readonly again?: ObjectRequest
  /** Why an answer can't be right; then the request is sent again. */
  readonly wrong?: (answer: ObjectAnswer) => string | undefined
}
