/** The most blocks of one lease. */
export const MAX_LEASE_BLOCKS = 1024
/** Leases are made as long as this, of blocks that are shorter. */
const LEASE_MS = 30
/** About what a lease costs the coordinator, with the report of its blocks. */
const LEASE_COST_MS = 0.03
/** What a block is taken to last at least: clocks are not finer. */
const LEAST_BLOCK_MS = 1e-3

/**
 * How many blocks to lease together: enough that no worker waits for messages, few enough that all have some until the end.
 * However many workers there are, leases below some size make a run longer, since they are handed out one after another: the
 * time until the last one is out, `ready / size * LEASE_COST_MS`, and the time that it takes, `size * blockMs`, have the least
 * sum where they are equal.
 * @param ready blocks that could be leased
 * @param workers that do this task
 * @param blockMs what a block takes, as far as that is known: one is leased to find out
 */
export function leaseSize(ready: number, workers: number, blockMs = Number.POSITIVE_INFINITY): number {
  const ms = Math.max(blockMs, LEAST_BLOCK_MS)
  const fair = Math.ceil(ready / (2 * workers))
  const least = Math.min(Math.sqrt((ready * LEASE_COST_MS) / ms), ready / 8)
  return Math.max(1, Math.floor(Math.min(Math.max(fair, least), LEASE_MS / ms, MAX_LEASE_BLOCKS)))
}
