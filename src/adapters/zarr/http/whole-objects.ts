import type { RangeAnswer } from '../../http/http-request.ts'

/** Most bytes of whole objects that are kept, and how long. */
const MAX_BYTES = 128 * 2 ** 20
const MAX_AGE_MS = 60_000

/** Requests an object, or a range of it; undefined if there is none. */
type Request = (range: string | undefined) => Promise<RangeAnswer | undefined>

/**
 * Objects of a server that knows no ranges and sends them whole. Each is read once for all the parts that are wanted of it, as far as
 * memory allows.
 */
export class WholeObjects {
  /** undefined before the first answer. */
  #knowsRanges: boolean | undefined
  /** The first request; others wait for it, since its answer tells what they have to ask for. */
  #first: Promise<RangeAnswer | undefined> | undefined
  readonly #reading = new Map<string, Promise<RangeAnswer | undefined>>()
  readonly #kept = new Map<string, { readonly body: Uint8Array; readonly at: number }>()
  #bytes = 0

  /** Gets a range of an object, or all of it. @param signal of this request; others may wait for the same answer */
  async get(key: string, range: string, request: Request, signal?: AbortSignal): Promise<RangeAnswer | undefined> {
    while (this.#knowsRanges === undefined && this.#first !== undefined) await ended(this.#first, signal)
    const body = this.#keptBody(key)
    if (body !== undefined) return { body, isPart: false }
    if (this.#knowsRanges) return this.#note(key, await request(range))
    if (this.#knowsRanges === undefined) return this.#askFirst(key, range, request)
    const reading = this.#reading.get(key)
    if (reading === undefined) return this.#readWhole(key, request)
    // Whoever made that request may have given up.
    return (await ended(reading, signal)) ?? this.get(key, range, request, signal)
  }

  async #askFirst(key: string, range: string, request: Request): Promise<RangeAnswer | undefined> {
    const asked = request(range).then((answer) => this.#note(key, answer))
    this.#first = asked
    return asked.finally(() => {
      this.#first = undefined
    })
  }

  async #readWhole(key: string, request: Request): Promise<RangeAnswer | undefined> {
    const reading = request(undefined).then((answer) => this.#note(key, answer))
    this.#reading.set(key, reading)
    return reading.finally(() => this.#reading.delete(key))
  }

  #note(key: string, answer: RangeAnswer | undefined): RangeAnswer | undefined {
    // A missing object tells nothing, so ranges are tried.
    if (answer === undefined || answer.isPart) this.#knowsRanges ??= true
    else {
      this.#knowsRanges = false
      this.#keep(key, answer.body)
    }
    return answer
  }

  #keptBody(key: string): Uint8Array | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    if (performance.now() - kept.at < MAX_AGE_MS) return kept.body
    this.#drop(key)
    return undefined
  }

  #keep(key: string, body: Uint8Array): void {
    this.#drop(key)
    if (body.length > MAX_BYTES) return
    this.#kept.set(key, { body, at: performance.now() })
    this.#bytes += body.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MAX_BYTES) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.body.length ?? 0
    this.#kept.delete(key)
  }
}

/** What another request got; undefined if it failed. @throws the reason of the signal */
async function ended<T>(other: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  const answer = await other.catch(() => undefined)
  signal?.throwIfAborted()
  return answer
}
