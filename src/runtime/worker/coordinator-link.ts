import { ConfigError, type ErrorCode, InfrastructureError, messageOf } from '../../core/errors.ts'
import {
  PROTOCOL_VERSION,
  type RefusalCode,
  type ServerMessage,
  type WorkerMessage,
} from '../../core/protocol/messages.ts'
import { parseServerMessage } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'
import type { WorkerIdentity, WorkerLink, WorkerOptions } from './worker-options.ts'

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5000
/** How long a coordinator may take to welcome this worker, before it tries again: a frozen one takes connections, too. */
const WELCOME_MS = 30_000
/** Heartbeats without an answer after which a link is taken for broken. */
const MAX_UNANSWERED = 3

export type Welcome = Extract<ServerMessage, { readonly type: 'welcome' }>
/** What a coordinator has to say about work. */
export type WorkMessage = Exclude<ServerMessage, { readonly type: 'welcome' | 'heartbeat' | 'refused' }>

/** Whose link it is. */
export interface LinkOwner {
  /** The leases that it still has something of: said when it comes back. */
  heldLeases(): readonly number[]
  /** @param isRenamed whether it goes by another name than before */
  takeWelcome(welcome: Welcome, isRenamed: boolean): void
  /** @throws InfrastructureError `PROTOCOL_ERROR` */
  takeWork(message: WorkMessage): void
  /** Whether it has no more need of a coordinator, so that a link that has ended stays so. */
  isLeaving(): boolean
  /** There will be no link any more. @param error why, where that is a failure */
  linkIsOver(error?: unknown): void
}

/** A worker's link to its coordinator: made, kept alive, and made again when it has ended. */
export class CoordinatorLink {
  readonly #options: WorkerOptions
  readonly #owner: LinkOwner
  #identity: WorkerIdentity | undefined
  /** The link, welcomed or not. */
  #channel: Channel<WorkerMessage> | undefined
  /** Whether it was welcomed. */
  #isUp = false
  /** Whether a coordinator has ever welcomed this worker. */
  #hasBegun = false
  #isToldLost = false
  #isEnded = false
  #hasSent = false
  #unanswered = 0
  #cancelHeartbeat = () => {}
  #endPause = () => {}

  constructor(options: WorkerOptions, owner: LinkOwner) {
    this.#options = options
    this.#owner = owner
    this.#identity = options.identity
  }

  /** Whether a coordinator hears what is sent now. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** The worker's name; empty before the first welcome of one that was given none. */
  get workerId(): string {
    return this.#identity?.worker ?? ''
  }

  /** Without a link it is lost. */
  send(message: WorkerMessage): void {
    this.#hasSent = true
    if (this.#isUp) this.#channel?.send(message)
  }

  /** Closes it, for good. */
  end(): void {
    this.#isEnded = true
    this.#endPause()
    this.#cancelHeartbeat()
    this.#channel?.close()
  }

  /** Keeps a link until it is ended, or the time for trying has passed. */
  async keep(): Promise<void> {
    const { clock, connect, reconnectMs = 0, random = () => 0.5 } = this.#options
    let lostAt = clock.now()
    let pause = 0
    while (!this.#isEnded) {
      let problem = 'the connection ended'
      let wasWelcome = false
      try {
        if (pause > 0) await this.#pause(pause * (0.5 + random()))
        if (this.#isEnded) return
        wasWelcome = await this.#use(await connect())
        if (!wasWelcome) problem = 'the connection ended before the coordinator had answered'
      } catch (error) {
        // What said where the coordinator is has gone with its run.
        if (this.#hasBegun && error instanceof ConfigError && error.code === 'NO_SUCH_FILE') {
          return this.#owner.linkIsOver()
        }
        if (error instanceof ConfigError) return this.#owner.linkIsOver(error)
        problem = messageOf(error)
      }
      if (wasWelcome) lostAt = clock.now()
      pause = wasWelcome ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2))
      if (this.#isEnded) return
      this.#tellLost(problem)
      if (this.#owner.isLeaving()) return this.#owner.linkIsOver()
      if (clock.now() - lostAt < reconnectMs) continue
      // A link in memory ends when its run does.
      if (reconnectMs === 0) return this.#owner.linkIsOver()
      const message = `The coordinator was not reached for ${Math.round(reconnectMs / 1000)} s: ${problem}`
      this.#owner.linkIsOver(new InfrastructureError('CONNECTION_LOST', message))
    }
  }

  /** Says hello and waits for the end of the link. @returns whether it was welcome */
  async #use({ channel, token }: WorkerLink): Promise<boolean> {
    const { pid, host, rois = false, reconnectMs = 0, clock } = this.#options
    this.#channel = channel
    if (this.#isEnded) channel.close()
    channel.onMessage((message) => {
      try {
        this.#receive(channel, parseServerMessage(message))
      } catch (error) {
        this.#owner.linkIsOver(error)
        channel.close()
      }
    })
    // Before the first welcome this worker has nothing, whatever name it was given.
    const leases = this.#hasBegun ? { leases: this.#owner.heldLeases() } : {}
    channel.send({
      type: 'hello',
      protocol: PROTOCOL_VERSION,
      ...(token === undefined ? {} : { token }),
      ...this.#identity,
      ...leases,
      pid,
      host,
      ...(rois ? { rois } : {}),
    })
    // A link in memory does not come back, so it is not given up.
    if (reconnectMs > 0) this.#cancelHeartbeat = clock.after(WELCOME_MS, () => channel.close())
    await channel.closed
    const wasWelcome = this.#isUp
    this.#isUp = false
    this.#cancelHeartbeat()
    return wasWelcome
  }

  #receive(channel: Channel<WorkerMessage>, message: ServerMessage): void {
    this.#unanswered = 0
    switch (message.type) {
      case 'welcome':
        this.#takeWelcome(channel, message)
        break
      case 'heartbeat':
        break
      case 'refused':
        this.#takeRefusal(message.code, message.message)
        break
      default:
        this.#owner.takeWork(message)
    }
  }

  #takeWelcome(channel: Channel<WorkerMessage>, welcome: Welcome): void {
    const { workerId, session, heartbeatMs } = welcome
    const isRenamed = this.#hasBegun && this.#identity?.worker !== workerId
    this.#identity = { worker: workerId, session }
    this.#isUp = true
    this.#hasBegun = true
    this.#isToldLost = false
    this.#beat(channel, heartbeatMs)
    this.#options.onConnection?.('welcome', workerId)
    this.#owner.takeWelcome(welcome, isRenamed)
  }

  #takeRefusal(code: RefusalCode, message: string): void {
    switch (code) {
      case 'TOO_MANY_CONNECTIONS':
        break
      case 'RUN_OVER':
        this.#owner.linkIsOver()
        break
      case 'UNAUTHORIZED':
      case 'PROTOCOL_ERROR':
        this.#owner.linkIsOver(new InfrastructureError(code satisfies ErrorCode, message))
        break
      default:
        code satisfies never
    }
  }

  /** Says that the worker lives, when nothing else does. */
  #beat(channel: Channel<WorkerMessage>, ms: number): void {
    this.#cancelHeartbeat()
    if (ms === 0) return
    this.#cancelHeartbeat = this.#options.clock.after(ms, () => {
      if (this.#unanswered >= MAX_UNANSWERED) {
        channel.close()
        return
      }
      if (!this.#hasSent) {
        this.#unanswered++
        channel.send({ type: 'heartbeat' })
      }
      this.#hasSent = false
      this.#beat(channel, ms)
    })
  }

  #tellLost(problem: string): void {
    if (!this.#isToldLost) this.#options.onConnection?.('lost', problem)
    this.#isToldLost = true
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
  }
}
