import type { Clock } from '../ports/clock.ts'

/** More than this, setTimeout takes for 1 ms. */
const LONGEST_MS = 2 ** 31 - 1

/** This machine's time. A call that is further off than 24 days comes after 24 days. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(ms, LONGEST_MS))
    return () => clearTimeout(timer)
  },
}

/** Lets the event loop turn once. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
