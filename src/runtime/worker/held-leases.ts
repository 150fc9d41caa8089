import {
  type KnownLease,
  MAX_LEASES,
  type Outcome,
  type ServerMessage,
  type WireRois,
} from '../../core/protocol/messages.ts'
import type { CoordinatorLink } from './coordinator-link.ts'

/** Characters of errors in one message. */
const MAX_REPORT_TEXT = 262_144

/** Blocks that a worker was given together. */
export interface HeldLease {
  readonly id: number
  readonly taskId: string
  readonly blocks: readonly number[]
  readonly rois?: readonly WireRois[]
  readonly outcomes: Outcome[]
  /** How many outcomes have been sent over the link that there is now. */
  sent: number
  readonly ending: AbortController
  isRevoked: boolean
}

/** What a worker was given to do, and what its coordinator does not know yet of how that ended. */
export class HeldLeases {
  readonly #link: CoordinatorLink
  /** To do, in this order. */
  readonly #queue: HeldLease[] = []
  /** The last ones, done or not: their outcomes may have to be sent again. */
  readonly #kept: HeldLease[] = []
  #current: HeldLease | undefined

  constructor(link: CoordinatorLink) {
    this.#link = link
  }

  /** The one that is being done. */
  get current(): HeldLease | undefined {
    return this.#current
  }

  /** Those of which it still has something. */
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

  /** Begins with the next one. @returns undefined where there is none */
  begin(): HeldLease | undefined {
    this.#current = this.#queue.shift()
    return this.#current
  }

  /** The current one has come to its end, or to where it is not gone on with. */
  leave(): void {
    const lease = this.#current
    this.#current = undefined
    if (lease?.isRevoked) this.#link.send({ type: 'dropped', lease: lease.id })
  }

  /** After a welcome: sends what has not arrived, and drops what the coordinator has given to others. */
  renew(known: readonly KnownLease[]): void {
    for (const lease of [...this.#kept]) {
      const its = known.find(({ lease: id }) => id === lease.id)
      if (its === undefined) this.#drop(lease)
      else {
        lease.sent = Math.min(its.reported, lease.outcomes.length)
        this.report(lease)
      }
    }
  }

  revoke(id: number): void {
    const lease = this.#kept.find((each) => each.id === id)
    if (lease === undefined) this.#link.send({ type: 'dropped', lease: id })
    else this.#drop(lease)
  }

  #drop(lease: HeldLease): void {
    const kept = this.#kept.indexOf(lease)
    if (kept !== -1) this.#kept.splice(kept, 1)
    const waiting = this.#queue.indexOf(lease)
    if (waiting !== -1) this.#queue.splice(waiting, 1)
    lease.isRevoked = true
    // The one that is worked on is dropped when its block has ended.
    if (lease === this.#current) lease.ending.abort()
    else this.#link.send({ type: 'dropped', lease: lease.id })
  }

  /** Sends what the coordinator does not have yet; without a link it is kept. */
  report(lease: HeldLease): void {
    if (!this.#link.isUp || lease.isRevoked) return
    const send = (from: number, to?: number) =>
      this.#link.send({ type: 'outcomes', lease: lease.id, outcomes: lease.outcomes.slice(from, to) })
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
