/** The system answers a call for a file in its memory much faster than this; a disk across a network takes longer. */
const SLOW_MS = 1
/** Bytes that may be read or written in a millisecond more. */
const BYTES_PER_MS = 2 ** 20
/** While calls are handed to threads, one of this many is made here, to see whether they have become fast. */
const PROBE_EVERY = 32
/** So many of these in a row have to be fast. */
const FAST_PROBES = 3
/** The event loop turns at least this often. */
const TURN_MS = 10

let turned = 0

/**
 * Decides whether the calls for files are made at once or handed to another thread. Handing over takes several times the processor time,
 * but only there can calls wait for a slow disk together. So calls are made at once until most of the last 32 were slow.
 */
export class FilePace {
  #isFast = true
  /** One bit for each of the last 32 calls, set if it was slow. */
  #recent = 0
  #sinceProbe = 0
  #fastProbes = 0

  /** Whether calls are made at once, so that several at the same time would only take more memory. */
  get isFast(): boolean {
    return this.#isFast
  }

  /** Whether to make the next call here, and to report its time with `note`. */
  callsHere(): boolean {
    if (this.#isFast) return true
    this.#sinceProbe = (this.#sinceProbe + 1) % PROBE_EVERY
    return this.#sinceProbe === 0
  }

  /** @param bytes read or written by the call */
  note(ms: number, bytes: number): void {
    const isSlow = ms > SLOW_MS + bytes / BYTES_PER_MS
    if (this.#isFast) {
      this.#recent = (this.#recent << 1) | Number(isSlow)
      this.#isFast = countBits(this.#recent) <= 16
      return
    }
    this.#fastProbes = isSlow ? 0 : this.#fastProbes + 1
    if (this.#fastProbes < FAST_PROBES) return
    this.#isFast = true
    this.#recent = 0
    this.#fastProbes = 0
  }
}

/** Lets the event loop turn if it has not for a while: calls that are made at once never do. */
export async function letLoopTurn(): Promise<void> {
  if (performance.now() - turned < TURN_MS) return
  await new Promise((resolve) => setImmediate(resolve))
  turned = performance.now()
}

function countBits(bits: number): number {
  let count = 0
  for (let rest = bits >>> 0; rest !== 0; rest >>>= 1) count += rest & 1
  return count
}
