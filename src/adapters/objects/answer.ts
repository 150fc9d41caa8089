import type { ErrorKind, SaidError } from './said-error.ts'

/** Errors are short. */
const MOST_ERROR_BYTES = 64 * 1024

/** A complete answer. */
export interface ObjectAnswer {
  readonly status: number
  readonly headers: Headers
  /** Empty for an error. */
  readonly body: Uint8Array
  /** What the service says is wrong: `NoSuchKey`, `SlowDown`, …; '' for none, or if it doesn't say. */
  readonly code: string
  readonly message: string
  /** What that means; undefined for no error, or if only the status tells. */
  readonly kind: ErrorKind | undefined
}

export interface BodyLimits {
  readonly atMost: number
  /** Used if the body has exactly this many bytes. */
  readonly into?: Uint8Array | undefined
  /** Called whenever something was received. */
  readonly received: () => void
}

/** Reads what a service says in an error. */
type ReadError = (status: number, headers: Headers, text: string) => SaidError

/** An answer that is longer than it may be. */
export class TooLong extends Error {}

/** @throws Error for a body that ends early; {@link TooLong} */
export async function readAnswer(response: Response, limits: BodyLimits, errorIn: ReadError): Promise<ObjectAnswer> {
  const { status, headers } = response
  const isError = status >= 300
  const body = await readBody(response, isError ? { ...limits, atMost: MOST_ERROR_BYTES, into: undefined } : limits)
  if (!isError) return { status, headers, body, code: '', message: '', kind: undefined }
  const { code, message, kind } = errorIn(status, headers, new TextDecoder().decode(body))
  return { status, headers, body: new Uint8Array(0), code, message, kind }
}

async function readBody(response: Response, { atMost, into, received }: BodyLimits): Promise<Uint8Array> {
  const { headers, status } = response
  const said = headers.get('content-length')
  const length = said === null || headers.has('content-encoding') ? undefined : Number(said)
  const tooLong = () => new TooLong(`it has more than ${atMost} bytes, the most that such an object can have`)
  if (length !== undefined && length > atMost && status < 300) throw tooLong()
  const pieces: Uint8Array[] = []
  let count = 0
  for await (const piece of response.body ?? []) {
    received()
    count += piece.length
    if (count > atMost) throw tooLong()
    pieces.push(piece)
  }
  if (length !== undefined && count !== length && status !== 304) {
    throw new Error(`it ended after ${count} of ${length} bytes`)
  }
  if (pieces.length === 1 && into?.length !== count) return pieces[0] as Uint8Array
  const target = into?.length === count ? into : new Uint8Array(count)
  let at = 0
  for (const piece of pieces) {
    target.set(piece, at)
    at += piece.length
  }
  return target
}

/** Why a part is not the requested one; undefined if it is. @param range `bytes=0-99` or `bytes=-16` */
export function wrongPart({ headers, body }: ObjectAnswer, range: string): string | undefined {
  if (headers.has('content-encoding')) return 'the service sent a part of an encoded version of it'
  const sent = headers.get('content-range') ?? ''
  // Some servers count so in an object without bytes.
  if (/^bytes .*\/0$/.test(sent) && body.length === 0) return undefined
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(sent) ?? []
  const [, start, end] = /^bytes=(\d*)-(\d+)$/.exec(range) ?? []
  const isRequested =
    start === ''
      ? Number(last) === Number(total) - 1 && Number(first) === Math.max(0, Number(total) - Number(end))
      : first === start && Number(last) === Math.min(Number(end), Number(total) - 1)
  if (!isRequested) return `the service sent "${sent}" for the range ${range}`
  const length = Number(last) - Number(first) + 1
  return body.length === length ? undefined : `the service sent ${body.length} of ${length} bytes`
}
