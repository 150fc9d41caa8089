import { AsyncLocalStorage } from 'node:async_hooks'
import { InfrastructureError } from '../../core/errors.ts'

/** What a block belongs to. */
export interface BlockLease {
  readonly lease: number
  /** Aborted when the block is taken from this worker. */
  readonly signal: AbortSignal
}

/** Of the block in whose function the code runs. */
const leases = new AsyncLocalStorage<BlockLease>()

/** Calls a block's function. */
export const withinBlock = <T>(lease: BlockLease, run: () => T): T => leases.run(lease, run)

/** The number of the lease of the block in whose function this is called; undefined elsewhere. */
export const currentLease = (): number | undefined => leases.getStore()?.lease

/**
 * Makes sure that the block in whose function this is called still belongs to this worker: another one may be doing it, or may have done
 * it since. Elsewhere, nothing is checked.
 * @throws InfrastructureError `RUN_LOCKED`
 */
export function assertHeld(): void {
  if (leases.getStore()?.signal.aborted !== true) return
  throw new InfrastructureError(
    'RUN_LOCKED',
    'This block was taken from its worker, which took too long or was told to end, so it writes nothing more.',
  )
}
