import { randomUUID } from 'node:crypto'
import {
  type Lineage,
  type LineageMark,
  markOfLineage,
  NO_LINEAGE,
  settledLineage,
  withEpoch,
  withRemoval,
} from '../../../core/progress/lineage.ts'
import type { ProgressRecorder } from '../../../runtime/coordinator/progress-recorder.ts'
import type { RecordLineage } from '../../../runtime/coordinator/run-options.ts'

export interface LineageOptions {
  readonly recorder: ProgressRecorder
  /** That of the record. @default of a record without one */
  readonly lineage?: Lineage | undefined
  /** Says it in the marks of all outputs. @param fsync whether the disk itself must have it */
  markOutputs(mark: LineageMark, fsync: boolean): Promise<void>
  /** Called when it can't be said: the run can't go on. */
  onError(error: unknown): void
}

/** Keeps a record and the marks of its outputs in the same state. The record is always first: an output never names what it doesn't know. */
export class KeptLineage implements RecordLineage {
  readonly #options: LineageOptions
  #lineage: Lineage
  #changing: Promise<void> = Promise.resolve()

  constructor(options: LineageOptions) {
    this.#options = options
    this.#lineage = options.lineage ?? NO_LINEAGE
  }

  /** What the marks of outputs have to say. */
  get mark(): LineageMark {
    return markOfLineage(this.#lineage)
  }

  /** Begins another state in the record; the one before is believed, too, until the outputs are settled. */
  begin(): Promise<void> {
    return this.#change(() => this.#record(withEpoch(this.#lineage, randomUUID())))
  }

  /** All outputs name this state, on the disk itself. */
  settle(): Promise<void> {
    return this.#change(() => this.#record(settledLineage(this.#lineage)))
  }

  async renew(): Promise<void> {
    await this.#change(async () => {
      await this.#record(withEpoch(this.#lineage, randomUUID()))
      await this.#options.markOutputs(this.mark, true)
      await this.#record(settledLineage(this.#lineage))
    }).catch((error) => {
      this.#options.onError(error)
      throw error
    })
  }

  async noteRemoval(): Promise<void> {
    await this.#change(async () => {
      await this.#record(withRemoval(this.#lineage))
      await this.#options.markOutputs(this.mark, false)
    })
  }

  async #record(lineage: Lineage): Promise<void> {
    await this.#options.recorder.continueAs(lineage)
    this.#lineage = lineage
  }

  /** One change after the other. */
  #change(change: () => Promise<void>): Promise<void> {
    const changed = this.#changing.then(change)
    this.#changing = changed.catch(() => {})
    return changed
  }
}
