import type { Clock } from '../../ports/clock.ts'
import type { RunningBlock, TaskBlock } from '../tasks/task-options.ts'
import type { CoordinatorConnection } from './coordinator-connection.ts'
import type { HeldLeases } from './held-leases.ts'

/** Progress is reported at most this often. */
const BEAT_MS = 1000

/** Lets the function of a long block say that it advances. */
export class ProgressBeat {
  readonly #clock: Clock
  readonly #connection: CoordinatorConnection
  #sentAt = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, connection: CoordinatorConnection) {
    this.#clock = clock
    this.#connection = connection
  }

  /** Adds the method to a block. It is not enumerable, so the block can still be copied and posted as plain data. */
  addTo(block: TaskBlock, lease: NonNullable<HeldLeases['current']>): RunningBlock {
    const progress = () => {
      const now = this.#clock.now()
      if (now - this.#sentAt < BEAT_MS || lease.isRevoked) return
      this.#sentAt = now
      this.#connection.sendNow({ type: 'progress' })
    }
    return Object.defineProperty(block, 'progress', { value: progress }) as RunningBlock
  }
}
