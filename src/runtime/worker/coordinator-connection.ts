import { ConfigError, type ErrorCode, InfrastructureError, messageOf } from '../../core/errors.ts'
import {
  PROTOCOL_VERSION,
  type RefusalCode,
  type ServerMessage,
  type WorkerMessage,
} from '../../core/protocol/messages.ts'
import { parseServerMessage } from '../../core/protocol/parse.ts'
import type { Channel } from '../../ports/channel.ts'
import { Heartbeat } from './heartbeat.ts'
import type { WorkerIdentity, WorkerOptions } from './worker-options.ts'

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5000
/** Time limit for the coordinator's welcome; then the worker tries again. A frozen coordinator still accepts connections. */
const WELCOME_MS = 30_000

export type Welcome = Extract<ServerMessage, { readonly type: 'welcome' }>
/** The messages of a coordinator that are about work. */
export type WorkMessage = Exclude<ServerMessage, { readonly type: 'welcome' | 'heartbeat' | 'refused' }>

/** The worker that a connection belongs to. */
export interface ConnectionOwner {
  /** The leases of which it still holds blocks or outcomes; sent when it reconnects. */
  heldLeases(): readonly number[]
  /** @param isRenamed whether the coordinator gave it another name than before */
  takeWelcome(welcome: Welcome, isRenamed: boolean): void
  /** @throws InfrastructureError `PROTOCOL_ERROR` */
  takeWork(message: WorkMessage): void
  /** Nothing was sent for a while, and a heartbeat is about to be. */
  beforeHeartbeat(): void
  /** Whether it no longer needs a coordinator, so that a lost connection is not restored. */
  isLeaving(): boolean
  /** There will be no further connection. @param error the reason, if that is a failure */
  connectionIsOver(error?: unknown): void
}

/** A worker's connection to its coordinator: opens it, keeps it alive, and reopens it after a loss. */
export class CoordinatorConnection {
  readonly #options: WorkerOptions
  readonly #owner: ConnectionOwner
  readonly #heartbeat: Heartbeat
  #identity: WorkerIdentity | undefined
  /** The current channel, welcomed or not. */
  #channel: Channel<WorkerMessage> | undefined
  /** Whether the current channel was welcomed. */
  #isUp = false
  #wasEverWelcome = false
  #isLossReported = false
  readonly #ending = new AbortController()
  #cancelWelcomeLimit = () => {}
  #endPause = () => {}

  constructor(options: WorkerOptions, owner: ConnectionOwner) {
    this.#options = options
    this.#owner = owner
    this.#heartbeat = new Heartbeat(options.clock)
    this.#identity = options.identity
  }

  get #isEnded(): boolean {
    return this.#ending.signal.aborted
  }

  /** Whether the coordinator receives what is sent now. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** The worker's name; empty before the first welcome if it was given none. */
  get workerId(): string {
    return this.#identity?.worker ?? ''
  }

  /** Sends a message; drops it if there is no connection. */
  send(message: WorkerMessage): void {
    this.#heartbeat.noteSent()
    if (this.#isUp) this.#channel?.send(message)
  }

  /** Sends a message at once, even from a function that never awaits. */
  sendNow(message: WorkerMessage): void {
    this.send(message)
    this.#channel?.flush?.()
  }

  /** Closes the connection for good. */
  end(): void {
    this.#ending.abort()
    this.#endPause()
    this.#stopTimers()
    this.#channel?.close()
  }

  /** Maintains the connection until it is ended, or the coordinator could not be reached for too long. */
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
        wasWelcome = await this.#use(await connect(this.#ending.signal))
        if (!wasWelcome) problem = 'the connection ended before the coordinator answered'
      } catch (error) {
        if (error instanceof ConfigError) return this.#giveUp(error)
        problem = messageOf(error)
      }
      if (wasWelcome) lostAt = clock.now()
      pause = wasWelcome ? 0 : Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2))
      if (this.#isEnded) return
      this.#reportLoss(problem)
      if (this.#owner.isLeaving()) return this.#owner.connectionIsOver()
      if (clock.now() - lostAt < reconnectMs) continue
      // A connection in memory ends when its run does.
      if (reconnectMs === 0) return this.#owner.connectionIsOver()
      const message = `The coordinator could not be reached for ${Math.round(reconnectMs / 1000)} s: ${problem}`
      this.#owner.connectionIsOver(new InfrastructureError('CONNECTION_LOST', message))
    }
  }

  /** Stops trying to connect, since that can't succeed. */
  #giveUp(error: ConfigError): void {
    // The file with the coordinator's address is removed at the end of the run.
    const isRunOver = this.#wasEverWelcome && error.code === 'NO_SUCH_FILE'
    this.#owner.connectionIsOver(isRunOver ? undefined : error)
  }

  /** Joins the run and waits for the end of the channel. @returns whether it was welcomed */
  async #use(channel: Channel<WorkerMessage>): Promise<boolean> {
    const { pid, host, rois = false, reconnectMs = 0, clock } = this.#options
    this.#channel = channel
    if (this.#isEnded) channel.close()
    channel.onMessage((message) => {
      try {
        this.#receive(channel, parseServerMessage(message))
      } catch (error) {
        this.#owner.connectionIsOver(error)
        channel.close()
      }
    })
    // Before its first welcome, this worker holds no leases, even if it was given a name.
    const leases = this.#wasEverWelcome ? { leases: this.#owner.heldLeases() } : {}
    channel.send({
      type: 'join',
      protocol: PROTOCOL_VERSION,
      ...this.#identity,
      ...leases,
      pid,
      host,
      ...(rois ? { rois } : {}),
    })
    // A connection in memory can't be made again, so it has no time limit.
    if (reconnectMs > 0) this.#cancelWelcomeLimit = clock.after(WELCOME_MS, () => channel.close())
    await channel.closed
    const wasWelcome = this.#isUp
    this.#isUp = false
    this.#stopTimers()
    return wasWelcome
  }

  #receive(channel: Channel<WorkerMessage>, message: ServerMessage): void {
    this.#heartbeat.noteReceived()
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
    const isRenamed = this.#wasEverWelcome && this.#identity?.worker !== workerId
    this.#identity = { worker: workerId, session }
    this.#isUp = true
    this.#wasEverWelcome = true
    this.#isLossReported = false
    this.#cancelWelcomeLimit()
    this.#heartbeat.start(
      heartbeatMs,
      () => {
        this.#owner.beforeHeartbeat()
        channel.send({ type: 'heartbeat' })
      },
      // A channel in memory breaks only with the process.
      (this.#options.reconnectMs ?? 0) > 0 ? () => channel.close() : undefined,
    )
    this.#options.onConnection?.('welcome', workerId)
    this.#owner.takeWelcome(welcome, isRenamed)
  }

  #takeRefusal(code: RefusalCode, message: string): void {
    switch (code) {
      case 'TOO_MANY_CONNECTIONS':
      case 'TOO_LATE':
        break
      case 'RUN_OVER':
        this.#owner.connectionIsOver()
        break
      case 'UNAUTHORIZED':
      case 'PROTOCOL_ERROR':
        this.#owner.connectionIsOver(new InfrastructureError(code satisfies ErrorCode, message))
        break
      default:
        code satisfies never
    }
  }

  #stopTimers(): void {
    this.#cancelWelcomeLimit()
    this.#heartbeat.stop()
  }

  #reportLoss(problem: string): void {
    if (!this.#isLossReported) this.#options.onConnection?.('lost', problem)
    this.#isLossReported = true
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
