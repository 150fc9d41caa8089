import { AsyncLocalStorage } from 'node:async_hooks'
import { InfrastructureError } from '../../core/errors.ts'

/** Of the block in whose function the code runs. */
const leases = new AsyncLocalStorage<AbortSignal>()

/** Calls a block's function. @param lease aborted when the block is taken from this worker */
export const withinBlock = <T>(lease: AbortSignal, run: () => T): T => leases.run(lease, run)

/**
 * Makes sure that the block in whose function this is called still belongs to this worker: another one may be doing it, or may have done
 * it since. Elsewhere, nothing is checked.
 * @throws InfrastructureError `RUN_LOCKED`
 */
export function assertHeld(): void {
  if (leases.getStore()?.aborted !== true) return
  throw new InfrastructureError(
    'RUN_LOCKED',
    'This block was taken from its worker, which took too long or was told to end, so it writes nothing more.',
  )
}
