import type { WorkerUsage } from '../../core/protocol/messages.ts'
import type { CoordinatorConnection } from './coordinator-connection.ts'
import type { WorkerOptions } from './worker-options.ts'

/** Usage is reported at most this often, and at the end of the worker. */
const USAGE_MS = 1000

/** Reports the resources that a worker has used, if they are known. */
export class UsageReport {
  readonly #options: Pick<WorkerOptions, 'usage' | 'clock'>
  readonly #connection: CoordinatorConnection
  #reportedAt = Number.NEGATIVE_INFINITY
  /** Bytes read and written under an earlier name. */
  #earlier: Pick<WorkerUsage, 'readBytes' | 'writtenBytes'> = { readBytes: 0, writtenBytes: 0 }

  constructor(options: Pick<WorkerOptions, 'usage' | 'clock'>, connection: CoordinatorConnection) {
    this.#options = options
    this.#connection = connection
  }

  /** Counts from 0 again: the worker has got another name. */
  reset(): void {
    this.#earlier = this.#options.usage?.() ?? this.#earlier
  }

  sendIfDue(): void {
    if (this.#options.clock.now() - this.#reportedAt >= USAGE_MS) this.send()
  }

  send(): void {
    const { usage, clock } = this.#options
    if (usage === undefined || !this.#connection.isUp) return
    this.#reportedAt = clock.now()
    const { readBytes, writtenBytes, peakMemory } = usage()
    this.#connection.send({
      type: 'usage',
      readBytes: readBytes - this.#earlier.readBytes,
      writtenBytes: writtenBytes - this.#earlier.writtenBytes,
      peakMemory,
    })
  }
}
