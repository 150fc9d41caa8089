import type { DurationSummary } from './durations.ts'

/**
 * What is done about a worker that has stalled. `report`: nothing else. `move`: its blocks go to others, and it gets no further ones until
 * it answers. `end`: it is ended, if the run has started it; otherwise as `move`.
 */
export const STALL_ACTIONS = ['report', 'move', 'end'] as const
export type StallAction = (typeof STALL_ACTIONS)[number]

/** Without a limit by the user, a worker that has not advanced for less than this has not stalled, ms. */
export const LEAST_STALL_MS = 600_000
const TIMES_P95 = 20
const TIMES_MAX = 5
/** How much longer a block may take at each attempt: it may be one that takes very long. */
const LONGER_AT_RETRY = 4
/** A set-up that has not ended after this has stalled, if the task's blocks have been done elsewhere, ms. */
const LEAST_SETUP_MS = 3_600_000

/**
 * How long a worker may go without advancing in a block before it counts as stalled, by how long blocks of the task usually take.
 * @param attempts failed attempts at the block
 * @returns ms; undefined if no block has been done, so that nothing is known
 */
export function stallLimit({ count, p95, max }: DurationSummary, attempts: number): number | undefined {
  if (count === 0) return undefined
  return Math.max(LEAST_STALL_MS, TIMES_P95 * p95, TIMES_MAX * max) * LONGER_AT_RETRY ** attempts
}

/** The same for setting up a task. */
export const setupStallLimit = (times: DurationSummary): number | undefined => {
  const limit = stallLimit(times, 0)
  return limit === undefined ? undefined : Math.max(LEAST_SETUP_MS, limit)
}

/** A worker that has stalled. */
export interface Stall {
  readonly workerId: string
  readonly taskId: string
  /** The block that it is doing; absent while it sets up the task. */
  readonly index?: number
  /** How long it has not advanced. */
  readonly seconds: number
  /** Whether its process still sends heartbeats; absent if it is too early to know. */
  readonly isAlive?: boolean
}

/** For users: what has not advanced, and what that looks like. */
export function describeStall({ taskId, index, seconds, isAlive }: Omit<Stall, 'workerId'>): string {
  const what = index === undefined ? `Setting up "${taskId}"` : `Block ${taskId}/${index}`
  const state = isAlive
    ? ' although its process still answers: it may wait for a file system or another program'
    : ', nor does its process answer: it may be suspended, or compute without a pause'
  return `${what} has not advanced for ${Number(seconds.toFixed(1))} s${isAlive === undefined ? '' : state}`
}
