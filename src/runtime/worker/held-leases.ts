import {
  type KnownLease,
  MAX_LEASES,
  type Outcome,
  type ServerMessage,
  type WireRois,
} from '../../core/protocol/messages.ts'
import type { CoordinatorConnection } from './coordinator-connection.ts'

/** The most characters of errors in one message. */
const MAX_REPORT_TEXT = 262_144

/** Blocks that a worker was given together, and how they ended. */
export interface HeldLease {
  readonly id: number
  readonly taskId: string
  readonly blocks: readonly number[]
  readonly rois?: readonly WireRois[]
  readonly outcomes: Outcome[]
  /** How many outcomes have been sent over the current connection. */
  sent: number
  readonly ending: AbortController
  isRevoked: boolean
}

/** The leases of a worker: the blocks to do, and the outcomes that its coordinator may not have received. */
export class HeldLeases {
  readonly #connection: CoordinatorConnection
  /** To do, in this order. */
  readonly #queue: HeldLease[] = []
  /** The last ones, done or not; their outcomes may have to be sent again. */
  readonly #kept: HeldLease[] = []
  #current: HeldLease | undefined

  constructor(connection: CoordinatorConnection) {
    this.#connection = connection
  }

  /** The lease in progress. */
  get current(): HeldLease | undefined {
    return this.#current
  }

  /** The leases of which it still holds blocks or outcomes. */
  ids(): number[] {
    return this.#kept.map(({ id }) => id)
  }

  add({ lease: id, taskId, blocks, rois }: Extract<ServerMessage, { readonly type: 'lease' }>): void {
    const lease: HeldLease = {
      id,
      taskId,
      blocks,
      ...(rois === undefined ? {} : { rois }),
      outcomes: [],
      sent: 0,
      ending: new AbortController(),
      isRevoked: false,
    }
    this.#queue.push(lease)
    this.#kept.push(lease)
    if (this.#kept.length > MAX_LEASES) this.#kept.shift()
  }

  /** Makes the next lease the current one. @returns undefined if there is none */
  next(): HeldLease | undefined {
    this.#current = this.#queue.shift()
    return this.#current
  }

  /** Ends the current lease, done or cut short. */
  finish(): void {
    const lease = this.#current
    this.#current = undefined
    if (lease?.isRevoked) this.#connection.send({ type: 'dropped', lease: lease.id })
  }

  /** After a welcome: sends the outcomes that have not arrived, and drops leases that the coordinator has given to others. */
  renew(known: readonly KnownLease[]): void {
    for (const lease of [...this.#kept]) {
      const match = known.find(({ lease: id }) => id === lease.id)
      if (match === undefined) this.#drop(lease)
      else {
        lease.sent = Math.min(match.reported, lease.outcomes.length)
        this.report(lease)
      }
    }
  }

  revoke(id: number): void {
    const lease = this.#kept.find((each) => each.id === id)
    if (lease === undefined) this.#connection.send({ type: 'dropped', lease: id })
    else this.#drop(lease)
  }

  #drop(lease: HeldLease): void {
    const kept = this.#kept.indexOf(lease)
    if (kept !== -1) this.#kept.splice(kept, 1)
    const waiting = this.#queue.indexOf(lease)
    if (waiting !== -1) this.#queue.splice(waiting, 1)
    lease.isRevoked = true
    // The current lease is dropped when its running block has ended.
    if (lease === this.#current) lease.ending.abort()
    else this.#connection.send({ type: 'dropped', lease: lease.id })
  }

  /** Sends the outcomes that the coordinator does not have yet, or keeps them while there is no connection. */
  report(lease: HeldLease): void {
    if (!this.#connection.isUp || lease.isRevoked) return
    const send = (from: number, to?: number) =>
      this.#connection.send({ type: 'outcomes', lease: lease.id, outcomes: lease.outcomes.slice(from, to) })
    let from = lease.sent
    let text = 0
    for (let at = from; at < lease.outcomes.length; at++) {
      const outcome = lease.outcomes[at] as Outcome
      if (outcome.status !== 'failed') continue
      text += outcome.error.message.length + (outcome.error.stack?.length ?? 0)
      if (text < MAX_REPORT_TEXT) continue
      send(from, at + 1)
      from = at + 1
      text = 0
    }
    if (from < lease.outcomes.length) send(from)
    lease.sent = lease.outcomes.length
  }
}
