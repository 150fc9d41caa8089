/** The largest number of blocks in a lease. */
export const MAX_LEASE_BLOCKS = 1024
/** Blocks that are shorter than this are combined to leases of about this duration. */
const LEASE_MS = 30
/** The approximate cost of a lease to the coordinator, with the report of its blocks. */
const LEASE_COST_MS = 0.03
/** Blocks that read the same chunks as their neighbours are leased in rows of so many, as long as these do not take longer than that. */
const ROW_BLOCKS = 4
const ROW_MS = 400
/** Blocks are assumed to take at least this long: clocks are not finer. */
const LEAST_BLOCK_MS = 1e-3

/**
 * How many blocks to lease together: enough that no worker waits for messages, few enough that all workers stay busy until the
 * end. Leases are handed out one after another, so leases that are too small make a run longer, however many workers there are.
 * The last lease is handed out after `ready / size * LEASE_COST_MS` and takes `size * blockMs`; the sum of both is smallest when
 * they are equal.
 * @param ready how many blocks could be leased
 * @param workers how many workers do this task
 * @param blockMs how long a block takes; unknown at first, so that a single block is leased to find out
 * @param sharesReads whether neighbours read the same chunks, so that the worker of one has them decoded for the next
 */
export function leaseSize(
  ready: number,
  workers: number,
  blockMs = Number.POSITIVE_INFINITY,
  sharesReads = false,
): number {
  const ms = Math.max(blockMs, LEAST_BLOCK_MS)
  const fair = Math.ceil(ready / (2 * workers))
  const least = Math.min(Math.sqrt((ready * LEASE_COST_MS) / ms), ready / 8)
  const size = Math.min(Math.max(fair, least), LEASE_MS / ms, MAX_LEASE_BLOCKS)
  const row = sharesReads ? Math.min(ready / (4 * workers), ROW_MS / ms, ROW_BLOCKS) : 1
  return Math.max(1, Math.floor(Math.max(size, row)))
}
