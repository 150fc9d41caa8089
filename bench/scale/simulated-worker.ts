import {
  type Join,
  type Outcome,
  PROTOCOL_VERSION,
  type ServerMessage,
  type WorkerMessage,
} from '../../src/core/protocol/messages.ts'
import type { Channel } from '../../src/ports/channel.ts'
import type { SimulatedTime } from './simulated-time.ts'

const HEARTBEAT_MS = 10_000

/** What workers of a simulation have in common. */
export interface World {
  readonly time: SimulatedTime
  /** How long the next block takes, ms. */
  blockMs(): number
  /** Whether the next block never ends. */
  stalls(): boolean
  /** Whether the next attempt fails. */
  fails(): boolean
  connect(channel: Channel<ServerMessage>, join: Join): void
  /** Messages are received after the turn of whoever sent them. */
  later(receive: () => void): void
}

/** A machine: its workers die, freeze and come back together. */
export interface Node {
  readonly name: string
  isFrozen: boolean
}

/** The coordinator's end of a connection. */
class Connection implements Channel<ServerMessage> {
  readonly #closed = Promise.withResolvers<void>()
  readonly #world: World
  readonly #hear: (message: ServerMessage) => void
  readonly #end: () => void
  #receive: (message: unknown) => void = () => {}
  isOpen = true

  constructor(world: World, hear: (message: ServerMessage) => void, end: () => void) {
    this.#world = world
    this.#hear = hear
    this.#end = end
  }

  get closed(): Promise<void> {
    return this.#closed.promise
  }

  send(message: ServerMessage): void {
    if (this.isOpen) this.#world.later(() => this.#hear(message))
  }

  onMessage(receive: (message: unknown) => void): void {
    this.#receive = receive
  }

  deliver(message: WorkerMessage): void {
    if (this.isOpen) this.#receive(message)
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#closed.resolve()
    this.#world.later(this.#end)
  }
}

interface Held {
  readonly lease: number
  readonly blocks: readonly number[]
  /** Its blocks have been done; the coordinator may not know it. */
  outcomes?: readonly Outcome[]
}

/** A worker that speaks the protocol; its blocks are only time. */
export class SimulatedWorker {
  readonly #world: World
  readonly #node: Node
  #connection: Connection | undefined
  #identity: Pick<Join, 'worker' | 'session'> | undefined
  #held: Held[] = []
  #running: Held | undefined
  #missed: (() => void)[] = []
  #hasSent = false
  isOver = false

  constructor(world: World, node: Node) {
    this.#world = world
    this.#node = node
  }

  connect(): void {
    if (this.isOver || this.#connection?.isOpen) return
    const connection: Connection = new Connection(
      this.#world,
      (message) => this.#whenThawed(() => this.#connection === connection && this.#hear(message)),
      () => this.#whenThawed(() => this.#connection === connection && this.#lose()),
    )
    this.#connection = connection
    this.#world.connect(connection, {
      ...{ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: this.#node.name },
      ...(this.#identity === undefined ? {} : { ...this.#identity, leases: this.#held.map(({ lease }) => lease) }),
    })
  }

  /** The network between it and the coordinator breaks for a moment. */
  disconnect(): void {
    this.#connection?.close()
  }

  /** Its process ends without a word; later, another one takes its place. */
  die(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#identity = undefined
    this.#held = []
    this.#running = undefined
    this.#missed = []
    connection?.close()
  }

  /** Its machine goes on after it was frozen. */
  thaw(): void {
    for (const act of this.#missed.splice(0)) act()
  }

  #whenThawed(act: () => void): void {
    if (this.#node.isFrozen) this.#missed.push(act)
    else act()
  }

  #lose(): void {
    if (!this.isOver) this.#world.time.plan(1000, () => this.#whenThawed(() => this.connect()))
  }

  #send(message: WorkerMessage): void {
    this.#hasSent = true
    this.#connection?.deliver(message)
  }

  #hear(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#identity = { worker: message.workerId, session: message.session }
        this.#held = this.#held.filter(({ lease }) => message.leases.some((known) => known.lease === lease))
        if (this.#running !== undefined && !this.#held.includes(this.#running)) this.#running = undefined
        this.#beat(this.#connection)
        for (const held of [...this.#held]) this.#report(held)
        this.#startNext()
        break
      case 'task':
        this.#send({ type: 'task-ready', taskId: message.task.id })
        break
      case 'lease':
        this.#held.push({ lease: message.lease, blocks: message.blocks })
        this.#startNext()
        break
      case 'revoked':
        this.#held = this.#held.filter(({ lease }) => lease !== message.lease)
        if (this.#running?.lease === message.lease) this.#running = undefined
        this.#send({ type: 'dropped', lease: message.lease })
        this.#startNext()
        break
      case 'drain':
        this.#leave()
        break
      case 'refused':
        // Whoever is told that the run is over stays away; others come again as new workers.
        if (message.code === 'RUN_OVER') this.isOver = true
        this.#identity = undefined
        this.#held = []
        this.#running = undefined
        break
      default:
    }
  }

  #leave(): void {
    for (const { lease, blocks, outcomes } of this.#held) {
      this.#send({ type: 'outcomes', lease, outcomes: outcomes ?? blocks.map(() => ({ status: 'returned' })) })
    }
    this.#held = []
    this.isOver = true
    this.#send({ type: 'goodbye' })
    this.#connection?.close()
  }

  #startNext(): void {
    const [next] = this.#held
    if (this.#running !== undefined || next === undefined || next.outcomes !== undefined) return
    this.#running = next
    if (this.#world.stalls()) return
    const ms = this.#world.blockMs()
    const outcome: Outcome = this.#world.fails()
      ? { status: 'failed', ms, error: { code: 'BLOCK_FAILED', message: 'simulated' } }
      : { status: 'done', ms }
    this.#world.time.plan(ms * next.blocks.length, () =>
      this.#whenThawed(() => {
        if (this.#running !== next) return
        this.#running = undefined
        next.outcomes = next.blocks.map(() => outcome)
        this.#report(next)
      }),
    )
  }

  #report(held: Held): void {
    if (held.outcomes === undefined || !this.#connection?.isOpen) return
    this.#held.splice(this.#held.indexOf(held), 1)
    this.#send({ type: 'outcomes', lease: held.lease, outcomes: held.outcomes })
    this.#startNext()
  }

  /** While it sends nothing else, as real workers do. */
  #beat(connection: Connection | undefined): void {
    this.#world.time.plan(HEARTBEAT_MS, () =>
      this.#whenThawed(() => {
        if (this.#connection !== connection || !connection?.isOpen) return
        if (!this.#hasSent) this.#send({ type: 'heartbeat' })
        this.#hasSent = false
        this.#beat(connection)
      }),
    )
  }
}
