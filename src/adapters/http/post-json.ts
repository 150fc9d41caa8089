import { InfrastructureError } from '../../core/errors.ts'

export interface PostOptions {
  /** @default 3 */
  readonly tries?: number
  /** Before the second try; four times as long before each further one. @default 1000 */
  readonly pauseMs?: number
  /** Of each try. @default 10000 */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * Posts JSON. A server that can't be reached, or that has a problem (5xx, 429), is asked again after a pause; redirects are not followed.
 * @throws InfrastructureError `IO_ERROR`, naming the host only: the rest of such an address is often a secret
 */
export async function postJson(address: string, document: object, options: PostOptions = {}): Promise<void> {
  const { tries = 3, pauseMs = 1000, timeoutMs = 10_000, signal } = options
  for (let attempt = 1, pause = pauseMs; ; attempt++, pause *= 4) {
    const { problem, isFinal } = await post(address, document, signal, timeoutMs)
    if (problem === undefined) return
    if (isFinal || attempt >= tries || signal?.aborted) {
      const after = `after ${attempt} ${attempt === 1 ? 'try' : 'tries'}`
      throw new InfrastructureError('IO_ERROR', `${new URL(address).host} ${problem}, ${after}.`)
    }
    await waitFor(pause, signal)
  }
}

async function post(address: string, document: object, signal: AbortSignal | undefined, timeoutMs: number) {
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    const response = await fetch(address, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(document),
      redirect: 'manual',
      signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
    })
    await response.body?.cancel()
    const { ok, status } = response
    if (ok) return { problem: undefined, isFinal: true }
    return { problem: `answered ${status}`, isFinal: status < 500 && status !== 429 }
  } catch (error) {
    const { cause, message } = error as Error
    const reason = timeout.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(cause) || message
    return { problem: `can't be reached: ${reason}`, isFinal: false }
  }
}

/** Without the address, which messages of fetch may repeat. */
function reasonOf(cause: unknown): string {
  const { code, message = '' } = (cause ?? {}) as { code?: string; message?: string }
  return code ?? message
}

function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    const stop = () => {
      clearTimeout(timer)
      resolve()
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
