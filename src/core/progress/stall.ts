import type { RunEvent } from '../events.ts'

/** No block finishes for this long, at least, before a run counts as stalled, ms. */
export const LEAST_STALL_MS = 600_000
/** How many times as long as usual. */
const TIMES_USUAL = 10

/** Notices that a run has stalled: that no block has finished for much longer than blocks take. */
export class StallWatch {
  readonly #fixedMs: number | undefined
  readonly #times = new Map<string, { count: number; totalMs: number }>()
  #since: number | undefined
  #isTold = false

  /** @param fixedMs the time without a finished block @default 10 times the mean of the slowest task, and at least 10 minutes */
  constructor(fixedMs?: number) {
    this.#fixedMs = fixedMs
  }

  /** How long no block may finish, ms. */
  get limitMs(): number {
    if (this.#fixedMs !== undefined) return this.#fixedMs
    const means = [...this.#times.values()].map(({ count, totalMs }) => totalMs / count)
    return Math.max(LEAST_STALL_MS, TIMES_USUAL * Math.max(0, ...means))
  }

  /** @param now ms, of any clock */
  receive(event: RunEvent, now: number): void {
    if (event.type === 'run-finished') this.#since = undefined
    if (event.type !== 'run-started' && event.type !== 'blocks-done') return
    this.#since = now
    this.#isTold = false
    if (event.type === 'run-started') return
    const { count, totalMs } = this.#times.get(event.taskId) ?? { count: 0, totalMs: 0 }
    const took = event.ms.filter((ms) => ms > 0)
    if (took.length === 0) return
    const total = took.reduce((sum, ms) => sum + ms, totalMs)
    this.#times.set(event.taskId, { count: count + took.length, totalMs: total })
  }

  /** @returns for how long no block has finished, ms, once for every stall; otherwise undefined */
  check(now: number): number | undefined {
    if (this.#since === undefined || this.#isTold || now - this.#since < this.limitMs) return undefined
    this.#isTold = true
    return now - this.#since
  }
}
