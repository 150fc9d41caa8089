import type { Clock } from '../ports/clock.ts'

/** setTimeout treats a longer delay as 1 ms. */
const LONGEST_MS = 2 ** 31 - 1

/** The time of this machine. A call that is due in more than 24 days is made after 24 days. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, Math.min(ms, LONGEST_MS))
    return () => clearTimeout(timer)
  },
}

/** Lets the event loop run once. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
