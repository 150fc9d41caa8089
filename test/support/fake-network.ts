import {
  type Join,
  type Outcome,
  PROTOCOL_VERSION,
  type ServerMessage,
  type WorkerMessage,
} from '../../src/core/protocol/messages.ts'
import { parseServerMessage } from '../../src/core/protocol/parse.ts'
import type { Channel } from '../../src/ports/channel.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Listener } from '../../src/ports/listener.ts'
import { channelPair } from '../../src/runtime/launchers/memory-channel.ts'

/** A listener in memory. The test plays the network. */
export class FakeNetwork implements Listener {
  #receive: (channel: Channel<ServerMessage>, join: Join) => void = () => {}
  #sessions = 0

  onArrival(receive: (channel: Channel<ServerMessage>, join: Join) => void): void {
    this.#receive = receive
  }

  newSession(): string {
    return `session-${++this.#sessions}`
  }

  /** Opens a connection. Its first message must be a join. */
  connect(): Channel<WorkerMessage> {
    const [server, worker] = channelPair<ServerMessage, WorkerMessage>()
    server.onMessage((message) => this.#receive(server, message as Join))
    return worker
  }
}

/** A worker controlled by the test. */
export class ManualWorker {
  readonly channel: Channel<WorkerMessage>
  readonly received: ServerMessage[] = []
  readonly closed: Promise<void>
  readonly #finished = new Set<number>()

  constructor(network: FakeNetwork, more: Partial<Join> = {}) {
    this.channel = network.connect()
    this.closed = this.channel.closed
    this.channel.onMessage((message) => {
      parseServerMessage(message)
      this.received.push(message as ServerMessage)
    })
    this.channel.send({ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: 'test', ...more })
  }

  /** The messages of a type received so far. */
  all<Type extends ServerMessage['type']>(type: Type): Extract<ServerMessage, { type: Type }>[] {
    return this.received.filter((message) => message.type === type) as Extract<ServerMessage, { type: Type }>[]
  }

  /** The last message of a type. */
  last<Type extends ServerMessage['type']>(type: Type): Extract<ServerMessage, { type: Type }> {
    const message = this.all(type).at(-1)
    if (message === undefined) throw new Error(`no "${type}" was received: ${JSON.stringify(this.received)}`)
    return message
  }

  send(message: WorkerMessage): void {
    this.channel.send(message)
  }

  /** Reports all blocks of a lease as done. */
  finish(lease: { readonly lease: number; readonly blocks: readonly number[] }, ms = 1): void {
    const outcomes = lease.blocks.map(() => ({ status: 'done', ms }) as const)
    this.report(lease.lease, outcomes)
  }

  /** Reports outcomes of a lease, its last ones. */
  report(lease: number, outcomes: readonly Outcome[]): void {
    this.#finished.add(lease)
    this.send({ type: 'outcomes', lease, outcomes })
  }

  /** Whether all blocks of a lease were reported. */
  isDone(lease: number): boolean {
    return this.#finished.has(lease)
  }

  /** Finishes every lease that it gets, then leaves. */
  async finishAll(): Promise<void> {
    for (let lease = this.unfinished; lease !== undefined; lease = this.unfinished) {
      this.send({ type: 'task-ready', taskId: lease.taskId })
      this.finish(lease)
      await settle()
    }
    await this.leave()
  }

  async leave(): Promise<void> {
    this.send({ type: 'goodbye' })
    this.channel.close()
    await settle()
  }

  /** The oldest unfinished lease that was received over this connection. */
  get unfinished(): Extract<ServerMessage, { type: 'lease' }> | undefined {
    return this.all('lease').find(({ lease }) => !this.#finished.has(lease))
  }
}

/** A clock that the test advances. */
export class ManualClock implements Clock {
  #now = 0
  readonly #calls = new Set<{ readonly at: number; readonly call: () => void }>()

  now(): number {
    return this.#now
  }

  date(): number {
    return this.#now
  }

  after(ms: number, call: () => void): () => void {
    const entry = { at: this.#now + ms, call }
    this.#calls.add(entry)
    return () => this.#calls.delete(entry)
  }

  /** Advances the time without a call, as if this process had been suspended. */
  jump(ms: number): void {
    this.#now += ms
  }

  /** Advances the time, and makes each call that falls due at its time. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#calls].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#calls.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.call()
    }
    this.#now = end
    await settle()
  }
}

/** Waits until all messages in memory have arrived and are answered. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}
