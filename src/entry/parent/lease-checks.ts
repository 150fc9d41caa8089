import type { Outcome, ServerMessage, WorkerMessage } from '../../core/protocol/messages.ts'

type Lease = Extract<ServerMessage, { type: 'lease' }>

/** Asks which blocks of a lease are done already. @returns one answer per block; undefined if nobody has to be asked */
export type AskDone = (lease: Lease) => Promise<readonly boolean[]> | undefined

/** Where messages go: to the worker, and to the coordinator. */
export interface LeaseEnds {
  toWorker(message: ServerMessage): void
  toCoordinator(message: WorkerMessage): void
}

interface Held {
  readonly lease: Lease
  /** For each block whether it is done already; undefined while this is being asked. */
  done: readonly boolean[] | undefined
  /** How many blocks the coordinator has outcomes of. */
  reported: number
}

const SKIPPED: Outcome = { status: 'skipped' }

/**
 * Stands between the coordinator and one worker: blocks that are done already are reported as skipped, and never reach the
 * worker. Each side sees a lease as its protocol has it: reported in order, one after the other.
 */
export class LeaseChecks {
  readonly #ask: AskDone
  readonly #ends: LeaseEnds
  /** Leases that are not completely reported, in the order in which they were given. */
  #held: Held[] = []

  constructor(ask: AskDone, ends: LeaseEnds) {
    this.#ask = ask
    this.#ends = ends
  }

  /** A message of the coordinator to the worker. */
  send(message: ServerMessage): void {
    switch (message.type) {
      case 'lease':
        this.#give(message)
        return
      case 'revoked':
        this.#revoke(message.lease)
        return
      case 'welcome':
        this.#ends.toWorker({
          ...message,
          leases: message.leases.map(({ lease, reported }) => ({
            lease,
            reported:
              this.#find(lease)
                ?.done?.slice(0, reported)
                .filter((isDone) => !isDone).length ?? reported,
          })),
        })
        return
      default:
        this.#ends.toWorker(message)
    }
  }

  /** A message of the worker to the coordinator. */
  receive(message: WorkerMessage): void {
    if (message.type === 'join') this.#rejoin(message.leases ?? [])
    const held = message.type === 'outcomes' ? this.#find(message.lease) : undefined
    if (held === undefined || message.type !== 'outcomes') this.#ends.toCoordinator(message)
    else this.#report(held, message.outcomes)
  }

  #find(id: number): Held | undefined {
    return this.#held.find(({ lease }) => lease.lease === id)
  }

  #give(lease: Lease): void {
    const held: Held = { lease, done: undefined, reported: 0 }
    this.#held.push(held)
    const asked = this.#ask(lease)
    if (asked === undefined) this.#answer(held, [])
    else void asked.then((done) => this.#answer(held, done))
  }

  #answer(held: Held, done: readonly boolean[]): void {
    // It may have been revoked, or lost with the connection.
    if (!this.#held.includes(held)) return
    const { lease } = held
    held.done = lease.blocks.map((_, at) => done[at] === true)
    this.#forward()
    this.#flush()
  }

  /** Leases reach the worker in the order in which they were given: the next one waits for the answer about the one before. */
  #forward(): void {
    for (const held of this.#held) {
      const { lease, done } = held
      if (done === undefined) return
      if (this.#forwarded.has(held)) continue
      this.#forwarded.add(held)
      const isLeft = (_: unknown, at: number) => done[at] !== true
      const blocks = lease.blocks.filter(isLeft)
      if (blocks.length === 0) continue
      const rois = lease.rois === undefined ? {} : { rois: lease.rois.filter(isLeft) }
      this.#ends.toWorker({ ...lease, blocks, ...rois })
    }
  }

  readonly #forwarded = new WeakSet<Held>()

  /** Reports the skipped blocks that are next. */
  #flush(): void {
    for (let head = this.#held[0]; head?.done !== undefined; head = this.#held[0]) {
      if (head.done[head.reported] !== true) return
      this.#report(head, [])
    }
  }

  /** @param outcomes of the next blocks that the worker was given */
  #report(held: Held, outcomes: readonly Outcome[]): void {
    const { lease, done = [] } = held
    const all: Outcome[] = []
    const skip = () => {
      while (done[held.reported + all.length] === true) all.push(SKIPPED)
    }
    skip()
    for (const outcome of outcomes) {
      all.push(outcome)
      skip()
    }
    held.reported += all.length
    if (held.reported >= lease.blocks.length) this.#held = this.#held.filter((other) => other !== held)
    this.#ends.toCoordinator({ type: 'outcomes', lease: lease.lease, outcomes: all })
    if (outcomes.length > 0) this.#flush()
  }

  #revoke(id: number): void {
    const held = this.#find(id)
    this.#held = this.#held.filter((other) => other !== held)
    const isAtWorker = held === undefined || (this.#forwarded.has(held) && held.done?.includes(false))
    if (isAtWorker) this.#ends.toWorker({ type: 'revoked', lease: id })
    else this.#ends.toCoordinator({ type: 'dropped', lease: id })
    this.#forward()
  }

  /** The worker has connected again; the coordinator takes back the leases that it does not name. */
  #rejoin(named: readonly number[]): void {
    this.#held = this.#held.filter(({ lease }) => named.includes(lease.lease))
  }
}
