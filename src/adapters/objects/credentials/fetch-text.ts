import { InfrastructureError, messageOf } from '../../../core/errors.ts'

/** Answers of services that hand out credentials are short. */
const MOST_BYTES = 1_000_000

export interface TextRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
}

/** @throws whatever fetch throws; Error for a status that is not 2xx, with the answer as its message */
export async function fetchText(url: string, { timeoutMs, ...request }: TextRequest): Promise<string> {
  const response = await fetch(url, { ...request, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  const text = await readText(response)
  if (!response.ok) throw new Error(`status ${response.status}: ${text.slice(0, 500)}`)
  return text
}

/** @throws Error for a text that is too long: whoever answers at an address may be anybody */
async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.length
    if (length > MOST_BYTES) throw new Error(`the answer has more than ${MOST_BYTES} bytes`)
    pieces.push(piece)
  }
  return new TextDecoder().decode(Buffer.concat(pieces))
}

/** The error of a source that has credentials but does not hand them out. */
export const sourceFailed = (source: string, cause: unknown): InfrastructureError => {
  const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : messageOf(cause)
  return new InfrastructureError('UNAUTHORIZED', `Can't get credentials from ${source}: ${reason}.`, { cause })
}
