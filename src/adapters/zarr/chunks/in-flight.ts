import { ConfigError } from '../../../core/errors.ts'

/** Limits on the memory of one read or write, not counting its own box. */
const MAX_COUNT = 8
const MAX_BYTES = 64 * 2 ** 20

/** How many pieces of `bytes` each may be in flight at once; at least one. */
export const inFlight = (bytes: number): number =>
  Math.max(1, Math.min(MAX_COUNT, Math.floor(MAX_BYTES / Math.max(1, bytes))))

/**
 * Runs `work` over all items, at most `limit` at once, and returns when all of them have ended. After an error or an
 * abort, no new item starts; when the running ones have ended, the first error is thrown, so that no write continues
 * after the caller has returned.
 */
export async function forEachInFlight<T>(
  items: Iterable<T>,
  limit: number,
  signal: AbortSignal | undefined,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  let failed = false
  let failure: unknown
  const lane = async () => {
    while (!failed) {
      const next = iterator.next()
      if (next.done) return
      try {
        signal?.throwIfAborted()
        await work(next.value)
      } catch (error) {
        if (!failed) failure = error
        failed = true
      }
    }
  }
  await Promise.all(Array.from({ length: limit }, lane))
  if (failed) throw failure
}

/**
 * Memory for a chunk.
 * @param spare bytes that are needed beside it
 * @throws ConfigError `UNSUPPORTED` if there is none
 */
export function allocate(bytes: number, spare = 0): Uint8Array {
  try {
    return new Uint8Array(bytes + spare)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new ConfigError(
      'UNSUPPORTED',
      `A chunk of ${bytes} bytes does not fit into memory; store the array with smaller chunks.`,
      { cause: error },
    )
  }
}

/** Reusable buffers of one size; at most `limit` are kept. */
export class BufferPool {
  readonly #size: number
  readonly #limit: number
  readonly #free: Uint8Array[] = []

  constructor(size: number, limit: number) {
    this.#size = size
    this.#limit = limit
  }

  /** Runs `work` with a buffer of undefined content; the buffer is reused afterwards. */
  async use<T>(work: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    const buffer = this.#free.pop() ?? allocate(this.#size)
    try {
      return await work(buffer)
    } finally {
      if (this.#free.length < this.#limit) this.#free.push(buffer)
    }
  }
}
