import { InfrastructureError, messageOf } from '../../../core/errors.ts'
import { type Hello, PROTOCOL_VERSION, type ServerMessage } from '../../../core/protocol/messages.ts'
import { parseWorkerMessage } from '../../../core/protocol/parse.ts'
import type { Channel } from '../../../ports/channel.ts'
import type { Leases } from '../leases.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import { createSession, type Pool, type Session } from './session.ts'
import type { WorkerDepartures } from './worker-departures.ts'

/** What a worker that came over a network is asked to be heard at, while it is idle. */
const HEARTBEAT_MS = 10_000
/** Heartbeats that may be missing in a row. */
const MAX_QUIET = 3

/** The workers of a run and the links to them: how they are started, come in, come back, and are heard. */
export class WorkerLinks {
  readonly #run: RunningPipeline
  readonly #leases: Leases
  readonly #departures: WorkerDepartures
  #cancelSweep: (() => void) | undefined

  constructor(run: RunningPipeline, leases: Leases, departures: WorkerDepartures) {
    this.#run = run
    this.#leases = leases
    this.#departures = departures
  }

  start(pool: Pool): void {
    const { launcher } = pool
    if (this.#run.phase !== 'running' || launcher === undefined) return
    const session = this.#addSession(pool, false)
    launcher.launch(session.id, session.key).then(
      (worker) => {
        session.worker = worker
        void worker.exited.then((exit) => this.#departures.takeExit(session, exit))
        const { channel } = worker
        // Its first message is its hello.
        channel?.onMessage((raw) => this.#guard(session, () => this.#attach(session, channel, asHello(raw), false)))
        if (this.#run.phase !== 'running' || session.status === 'over') worker.kill()
      },
      (error: unknown) => this.#departures.endSession(session, { reason: messageOf(error), lastOutput: '' }),
    )
  }

  /** A worker has come in by itself: one that was started, one that comes back, or a new one. */
  arrive(channel: Channel<ServerMessage>, hello: Hello): void {
    const known = hello.worker === undefined ? undefined : this.#run.sessions.get(hello.worker)
    if (known !== undefined && known.key === hello.session) {
      if (known.killed !== undefined) {
        channel.send({ type: 'refused', code: 'PROTOCOL_ERROR', message: known.killed.message })
        channel.close()
        return
      }
      this.#guard(known, () => this.#attach(known, channel, hello, true))
      return
    }
    const pool = this.#run.networkPool()
    if (this.#run.phase !== 'running' || pool === undefined) {
      channel.send({ type: 'refused', code: 'RUN_OVER', message: 'This run has nothing left to do.' })
      channel.close()
      return
    }
    const session = this.#addSession(pool, true)
    this.#guard(session, () => this.#attach(session, channel, hello, true))
  }

  #addSession(pool: Pool, isJoined: boolean): Session {
    const key = this.#run.options.listener?.newSession() ?? ''
    const session = createSession(this.#run.nextWorker++, key, pool, isJoined)
    this.#run.add(session)
    return session
  }

  #attach(session: Session, channel: Channel<ServerMessage>, hello: Hello, isRemote: boolean): void {
    if (hello.protocol !== PROTOCOL_VERSION) {
      const message = `Worker ${session.id} speaks version ${hello.protocol} of the protocol, this run version ${PROTOCOL_VERSION}; use the same Bellis everywhere.`
      channel.send({ type: 'refused', code: 'PROTOCOL_ERROR', message })
      channel.close()
      throw new InfrastructureError('PROTOCOL_ERROR', message)
    }
    const isFirst = session.status === 'starting' || session.isMissed
    session.isMissed = false
    session.cameAt ??= this.#run.options.clock.now()
    session.cancelAway?.()
    session.channel?.close()
    session.channel = channel
    session.isRemote = isRemote
    session.status = 'ready'
    session.host = hello.host
    session.wantsRois = hello.rois ?? false
    session.quiet = 0
    session.known.clear()
    if (hello.leases === undefined) {
      // It begins anew: what it had under its name died with it.
      this.#leases.loseLeases(session, {
        code: 'WORKER_DIED',
        message: `Worker ${session.id} died and was started again.`,
      })
      session.setUp.clear()
    }
    const named = hello.leases ?? []
    for (const lease of [...session.leases]) {
      if (!named.includes(lease.id)) this.#leases.returnLease(session, lease)
    }
    session.revoked.clear()
    for (const id of named) if (!session.leases.some((lease) => lease.id === id)) session.revoked.add(id)
    void channel.closed.then(() => {
      if (session.channel === channel) this.#departures.linkEnded(session)
    })
    channel.onMessage((raw) => {
      if (session.channel === channel) this.#receive(session, raw)
    })
    channel.send({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      workerId: session.id,
      session: session.key,
      heartbeatMs: isRemote ? HEARTBEAT_MS : 0,
      leases: session.leases.map(({ id, reported }) => ({ lease: id, reported })),
    })
    if (this.#run.phase !== 'running' || session.isMakingRoom) channel.send({ type: 'drain' })
    if (isRemote) this.#startSweep()
    session.worker?.onLink?.('in')
    this.#leases.timeLimits.watch(session)
    if (isFirst) {
      const { pid, host } = hello
      const log = session.worker?.logFile === undefined ? {} : { logFile: session.worker.logFile }
      this.#run.events.emit({ type: 'worker-started', workerId: session.id, pid, host, ...log })
    }
    this.#leases.feed(session)
    this.#leases.handOut()
  }

  #receive(session: Session, raw: unknown): void {
    this.#guard(session, () => {
      const message = parseWorkerMessage(raw)
      session.quiet = 0
      switch (message.type) {
        case 'hello':
          throw new InfrastructureError('PROTOCOL_ERROR', `Worker ${session.id} said hello twice.`)
        case 'task-ready':
          this.#noteSetUp(session, message.taskId)
          return
        case 'usage':
          session.usage = message
          return
        case 'heartbeat':
          session.channel?.send({ type: 'heartbeat' })
          return
        case 'outcomes':
          this.#leases.takeOutcomes(session, message.lease, message.outcomes)
          break
        case 'dropped':
          session.revoked.delete(message.lease)
          break
        case 'setup-failed':
          session.killed = message.error
          for (const task of session.known) if (task.id === message.taskId) session.notSetUp = task
          break
        case 'goodbye':
          session.saidGoodbye = true
          this.#leases.loseLeases(session)
          break
        default:
          message satisfies never
      }
      this.#leases.feed(session)
      this.#leases.handOut()
      this.#leases.feedAhead(session)
    })
  }

  /** From now on its blocks take their time; said again, that changes nothing. */
  #noteSetUp(session: Session, taskId: string): void {
    const task = [...session.known].find(({ id }) => id === taskId)
    if (task === undefined || session.setUp.has(task)) return
    session.setUp.add(task)
    this.#leases.timeLimits.watch(session)
  }

  /** Does something with what a worker sent; when that was wrong, the worker is sent away. */
  #guard(session: Session, act: () => void): void {
    try {
      act()
    } catch (error) {
      const message = messageOf(error)
      const { channel } = session
      channel?.send({ type: 'refused', code: 'PROTOCOL_ERROR', message })
      // What else it sends is not listened to, also where it takes a while to end it.
      channel?.close()
      this.#departures.endWorker(session, { code: 'PROTOCOL_ERROR', message })
    }
  }

  /** Notices idle workers whose machine or network has gone without a word; a busy one has its block's time for that. */
  #startSweep(): void {
    this.#cancelSweep ??= this.#run.options.clock.after(HEARTBEAT_MS, () => {
      this.#cancelSweep = undefined
      for (const session of this.#run.sessions.values()) {
        if (!session.isRemote || session.channel === undefined) continue
        if (session.quiet++ >= MAX_QUIET && session.leases.length === 0) session.channel.close()
        this.#startSweep()
      }
    })
  }

  [Symbol.dispose](): void {
    this.#cancelSweep?.()
  }
}

function asHello(raw: unknown): Hello {
  const message = parseWorkerMessage(raw)
  if (message.type === 'hello') return message
  throw new InfrastructureError('PROTOCOL_ERROR', `A worker began with "${message.type}"; it must begin with "hello".`)
}
