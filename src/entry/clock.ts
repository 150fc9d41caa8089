import type { Clock } from '../ports/clock.ts'

/** This machine's time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms)
    return () => clearTimeout(timer)
  },
}

/** Lets the event loop turn once. */
export const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
