import type { WorkerUsage } from '../../core/protocol/messages.ts'
import type { CoordinatorLink } from './coordinator-link.ts'
import type { WorkerOptions } from './worker-options.ts'

/** What a worker has needed is told at most this often, and at its end. */
const USAGE_MS = 1000

/** Tells a coordinator what its worker has needed, where that is known. */
export class UsageReport {
  readonly #options: Pick<WorkerOptions, 'usage' | 'clock'>
  readonly #link: CoordinatorLink
  #toldAt = Number.NEGATIVE_INFINITY
  /** What was read and written under an earlier name. */
  #toldBefore: Pick<WorkerUsage, 'readBytes' | 'writtenBytes'> = { readBytes: 0, writtenBytes: 0 }

  constructor(options: Pick<WorkerOptions, 'usage' | 'clock'>, link: CoordinatorLink) {
    this.#options = options
    this.#link = link
  }

  /** The worker has another name from now on, of which so much is known. */
  beginAnew(): void {
    this.#toldBefore = this.#options.usage?.() ?? this.#toldBefore
  }

  tellNowAndThen(): void {
    if (this.#options.clock.now() - this.#toldAt >= USAGE_MS) this.tell()
  }

  tell(): void {
    const { usage, clock } = this.#options
    if (usage === undefined || !this.#link.isUp) return
    this.#toldAt = clock.now()
    const { readBytes, writtenBytes, peakMemory } = usage()
    this.#link.send({
      type: 'usage',
      readBytes: readBytes - this.#toldBefore.readBytes,
      writtenBytes: writtenBytes - this.#toldBefore.writtenBytes,
      peakMemory,
    })
  }
}
