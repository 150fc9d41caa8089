import { InfrastructureError, messageOf } from '../../../core/errors.ts'
import { type Join, PROTOCOL_VERSION, type ServerMessage } from '../../../core/protocol/messages.ts'
import { parseJoin, parseWorkerMessage } from '../../../core/protocol/parse.ts'
import { assertSameProtocol } from '../../../core/protocol/version.ts'
import type { WorkerOrigin } from '../../../core/workers/worker-state.ts'
import type { Channel } from '../../../ports/channel.ts'
import type { Dispatcher } from '../dispatcher.ts'
import type { LeaseBook } from '../lease-book.ts'
import type { Leases } from '../leases.ts'
import type { RunTally } from '../run-tally.ts'
import type { RunningPipeline } from '../running-pipeline.ts'
import type { WorkerRests } from '../worker-rests.ts'
import { HEARTBEAT_MS, type Heartbeats } from './health/heartbeats.ts'
import type { StallWatch } from './health/stall-watch.ts'
import type { TimeLimits } from './health/time-limits.ts'
import type { LaunchedWorkers } from './launched-workers.ts'
import { createWorker, type Pool, type Worker } from './pool.ts'
import type { TaskSetups } from './task-setups.ts'
import type { WorkerConnections } from './worker-connections.ts'
import type { WorkerLives } from './worker-lives.ts'

export interface LinksParts {
  readonly lives: WorkerLives
  readonly book: LeaseBook
  readonly leases: Leases
  readonly dispatcher: Dispatcher
  readonly connections: WorkerConnections
  readonly heartbeats: Heartbeats
  readonly stalls: StallWatch
  readonly setups: TaskSetups
  readonly launched: LaunchedWorkers
  readonly timeLimits: TimeLimits
  readonly tally: RunTally
  readonly rests: WorkerRests
}

/** Starts the workers of a run, accepts their connections, and receives their messages. */
export class WorkerLinks {
  readonly #run: RunningPipeline
  readonly #parts: LinksParts

  constructor(run: RunningPipeline, parts: LinksParts) {
    this.#run = run
    this.#parts = parts
  }

  start(pool: Pool): void {
    const { launcher } = pool
    if (this.#run.phase !== 'running' || launcher === undefined) return
    const worker = this.#addWorker(pool, 'launched')
    const handle = this.#run.control.handle.bind(this.#run.control, worker)
    launcher.launch(worker.id, worker.key).then(
      (launched) => {
        if (this.#parts.lives.stateOf(worker) === undefined) {
          launched.kill()
          return
        }
        this.#parts.launched.add(worker, launched)
        void launched.exited.then((exit) => handle({ type: 'exited', exit }))
        const { channel } = launched
        // Its first message is `join`.
        channel?.onMessage((raw) => this.#guard(worker, () => this.#attach(worker, channel, parseJoin(raw), false)))
        handle({ type: 'launched' })
      },
      (error: unknown) => handle({ type: 'exited', exit: { reason: messageOf(error), lastOutput: '' } }),
    )
  }

  /** A worker connects through the listener: a started one, one that reconnects, or one that joins. */
  arrive(channel: Channel<ServerMessage>, join: Join): void {
    const known = join.worker === undefined ? undefined : this.#run.workers.get(join.worker)
    if (known !== undefined && known.key === join.session) {
      this.#guard(known, () => this.#attach(known, channel, join, true))
      return
    }
    const isHeld = this.#parts.rests.hold(join.host, () => this.#admitLater(channel, join))
    if (!isHeld) this.#admit(channel, join)
  }

  /** @returns what admits the worker, unless it has left */
  #admitLater(channel: Channel<ServerMessage>, join: Join): () => void {
    let isOpen = true
    void channel.closed.then(() => {
      isOpen = false
    })
    // Until it is welcomed, a worker has nothing to say.
    channel.onMessage(() => channel.close())
    return () => {
      if (isOpen) this.#admit(channel, join)
    }
  }

  #admit(channel: Channel<ServerMessage>, join: Join): void {
    const pool = this.#run.networkPool(join.task)
    if (this.#run.phase !== 'running' || pool === undefined) {
      channel.send({ type: 'refused', code: 'RUN_OVER', message: 'This run has nothing left to do.' })
      channel.close()
      return
    }
    const worker = this.#addWorker(pool, 'joined')
    this.#guard(worker, () => this.#attach(worker, channel, join, true))
  }

  #addWorker(pool: Pool, origin: WorkerOrigin): Worker {
    const key = this.#run.options.listener?.newSession() ?? ''
    const worker = createWorker(this.#run.nextWorker++, key, pool, origin)
    this.#parts.lives.add(worker)
    return worker
  }

  #attach(worker: Worker, channel: Channel<ServerMessage>, join: Join, isRemote: boolean): void {
    const { connections, dispatcher, heartbeats, launched, lives, setups, tally, timeLimits } = this.#parts
    assertVersion(worker, channel, join)
    const answer = lives.connect(worker)
    if (answer.type === 'refuse') {
      refuse(channel, answer.reason.message)
      return
    }
    tally.noteConnected(worker)
    connections.open(worker, channel, join, isRemote)
    setups.reconnect(worker)
    this.#reconcileLeases(worker, join)
    this.#listen(worker, channel)
    const beats = isRemote || launched.runsApart(worker)
    this.#welcome(worker, beats)
    if (beats) heartbeats.expect(worker)
    launched.noteConnection(worker, 'in')
    timeLimits.resume(worker)
    if (answer.isFirst) this.#reportStart(worker, join)
    dispatcher.feed(worker)
    dispatcher.handOut()
  }

  #reconcileLeases(worker: Worker, { leases: named }: Join): void {
    const { leases, setups } = this.#parts
    if (named === undefined) {
      // Its process was started again: the former process and its leases are lost.
      const message = `Worker ${worker.id} died and was started again.`
      leases.lose(worker, { error: { code: 'WORKER_DIED', message }, mayStillRun: true })
      setups.restart(worker)
    }
    leases.reconcile(worker, named ?? [])
  }

  #listen(worker: Worker, channel: Channel<ServerMessage>): void {
    const { connections, heartbeats } = this.#parts
    void channel.closed.then(() => {
      if (!connections.isCurrent(worker, channel)) return
      connections.clear(worker)
      heartbeats.forget(worker)
      this.#run.control.handle(worker, { type: 'disconnected' })
    })
    channel.onMessage((raw) => {
      if (connections.isCurrent(worker, channel)) this.#guard(worker, () => this.#receive(worker, raw))
    })
  }

  #welcome(worker: Worker, beats: boolean): void {
    const { connections, book, dispatcher } = this.#parts
    connections.send(worker, {
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      workerId: worker.id,
      session: worker.key,
      heartbeatMs: beats ? HEARTBEAT_MS : 0,
      leases: book.leasesOf(worker).map(({ id, reported }) => ({ lease: id, reported })),
    })
    if (this.#run.phase !== 'running' || dispatcher.isSentAway(worker)) connections.send(worker, { type: 'drain' })
  }

  #reportStart(worker: Worker, { pid, host }: Join): void {
    const logFile = this.#parts.launched.logFileOf(worker)
    const log = logFile === undefined ? {} : { logFile }
    this.#run.events.emit({ type: 'worker-started', workerId: worker.id, pid, host, ...log })
  }

  #receive(worker: Worker, raw: unknown): void {
    const { connections, dispatcher, heartbeats, leases, setups, stalls, tally, timeLimits } = this.#parts
    const message = parseWorkerMessage(raw)
    heartbeats.noteHeard(worker)
    switch (message.type) {
      case 'join':
        throw new InfrastructureError('PROTOCOL_ERROR', `Worker ${worker.id} joined a second time over one connection.`)
      case 'task-ready':
        // From now on, the time limit of a block applies; a repeated report does not extend it.
        if (setups.noteSetUp(worker, message.taskId)) timeLimits.watch(worker)
        return
      case 'usage':
        // A block that goes on reading or writing advances.
        if (tally.noteUsage(worker, message)) stalls.noteProgress(worker)
        return
      case 'progress':
        stalls.noteProgress(worker)
        return
      case 'heartbeat':
        connections.send(worker, { type: 'heartbeat' })
        return
      case 'outcomes':
        leases.takeOutcomes(worker, message.lease, message.outcomes)
        break
      case 'dropped':
        leases.takeDropped(worker, message.lease)
        break
      case 'setup-failed':
        setups.noteFailed(worker, message.taskId)
        this.#run.control.handle(worker, message)
        break
      case 'goodbye':
        this.#run.control.handle(worker, message)
        break
      default:
        message satisfies never
    }
    dispatcher.serve(worker)
  }

  /** Acts on a message from a worker. If the message is invalid, the worker is ended. */
  #guard(worker: Worker, act: () => void): void {
    this.#run.control.turn(() => {
      try {
        act()
      } catch (error) {
        const message = messageOf(error)
        const { connections } = this.#parts
        connections.send(worker, { type: 'refused', code: 'PROTOCOL_ERROR', message })
        // Ending the worker may take a while; what it sends meanwhile is ignored.
        connections.close(worker)
        this.#run.control.handle(worker, { type: 'end', reason: { code: 'PROTOCOL_ERROR', message } })
      }
    })
  }
}

function refuse(channel: Channel<ServerMessage>, message: string): void {
  channel.send({ type: 'refused', code: 'PROTOCOL_ERROR', message })
  channel.close()
}

function assertVersion({ id }: Worker, channel: Channel<ServerMessage>, { protocol }: Join): void {
  try {
    assertSameProtocol(protocol, `Worker ${id}`)
  } catch (error) {
    refuse(channel, messageOf(error))
    throw error
  }
}
