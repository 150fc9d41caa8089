/** Between how many workers a run may have. */
export interface WorkerRange {
  readonly least: number
  readonly most: number
}

/** Reads a number of workers, `8`, or a range, `10..200`. @returns undefined for any other text */
export function parseWorkerRange(text: string): WorkerRange | undefined {
  const [, first, last = first] = /^\s*(\d{1,6})(?:\.\.(\d{1,6}))?\s*$/.exec(text) ?? []
  const range = { least: Number(first), most: Number(last) }
  return range.least >= 1 && range.least <= range.most ? range : undefined
}

/** What is known of the work and the workers of a run at one moment. */
export interface PoolDemand {
  /** Milliseconds, by the run's clock. */
  readonly now: number
  /** Blocks that could start at once, if there were workers for them. */
  readonly waiting: number
  /** Workers that have blocks. */
  readonly busy: number
  /** Workers that have been asked for and have not connected: jobs that wait, processes that start. */
  readonly starting: number
  /** How long a block takes, ms: the average, or how long the first ones have taken so far; undefined if none has started. */
  readonly blockMs: number | undefined
  /** How long a worker takes from its request until it is there, ms. */
  readonly startMs: number
}

/** The number of workers that a run wants, and since when fewer would do. */
export interface PoolSize {
  readonly workers: number
  /** Absent while as many are needed. */
  readonly lowSince?: number
  /** The most that were needed since then. */
  readonly lowMost?: number
}

/** Work that lasts less than this, or than twice the start of a worker, is not worth another worker. */
const LEAST_HORIZON_MS = 10_000
/** Fewer workers must be enough for this long before some are dismissed; jobs that wait for their start go sooner. */
const SHRINK_MS = 60_000
const SHRINK_STARTING_MS = 10_000

/**
 * How many workers a run is to have. It grows at once, to twice as many at most, if there is more work than the present workers do in the time
 * that another one takes to start; it shrinks when fewer have been enough for a while, so that a short lull changes nothing.
 */
export function nextPoolSize(size: PoolSize, demand: PoolDemand, { least, most }: WorkerRange): PoolSize {
  const bounded = (workers: number) => Math.min(most, Math.max(least, workers))
  const current = bounded(size.workers)
  const needed = bounded(workersNeeded(demand, current))
  if (needed >= current) return { workers: Math.min(needed, Math.max(current, bounded(current * 2))) }
  const { now, starting, waiting } = demand
  const { lowSince = now, lowMost = 0 } = size
  const low = { workers: current, lowSince, lowMost: Math.max(lowMost, needed) }
  // A job that waits in a queue holds nothing, but it would start for nothing.
  const hold = starting > 0 && waiting === 0 ? SHRINK_STARTING_MS : Math.max(SHRINK_MS, 2 * demand.startMs)
  if (now - lowSince < hold) return low
  // Those that have not started go first, so as many as these may go at once.
  return hold === SHRINK_STARTING_MS ? { workers: Math.max(low.lowMost, current - starting) } : { workers: low.lowMost }
}

/** How many workers there is work for, as many as there are at least while blocks wait. */
function workersNeeded({ waiting, busy, blockMs, startMs }: PoolDemand, current: number): number {
  if (waiting === 0) return busy
  if (blockMs === undefined) return current
  const blocks = waiting + busy
  // With so many, the work takes as long as a further worker is worth waiting for; a block needs one worker at most.
  const enough = Math.ceil((blocks * blockMs) / Math.max(LEAST_HORIZON_MS, 2 * startMs))
  return Math.max(current, Math.min(blocks, enough))
}
