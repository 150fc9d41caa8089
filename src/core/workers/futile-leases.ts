// A lease is futile if its worker finishes none of its blocks, whether it hands them back, disconnects or starts again.

/** A worker may have this many futile leases in a row without waiting: leases cross with messages that end them. */
const FREE = 2
const FIRST_REST_MS = 100
const LONGEST_REST_MS = 30_000

/** A worker with this many futile leases in a row is ended: after about a minute, for all its rests together. */
export const MAX_FUTILE = 12

/** How long a worker gets no blocks after futile leases in a row, ms. */
export const restAfter = (futile: number): number =>
  futile <= FREE ? 0 : Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** (futile - FREE - 1))
