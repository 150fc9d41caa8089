import { PROTOCOL_VERSION, type ServerMessage, type WorkerMessage } from '../../src/core/protocol/messages.ts'
import type { WorkerExit } from '../../src/core/workers/worker-state.ts'
import type { Channel } from '../../src/ports/channel.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { LaunchedWorker, WorkerLauncher } from '../../src/ports/worker-launcher.ts'
import { Coordinator } from '../../src/runtime/coordinator/run-pipeline.ts'
import type { RunResult } from '../../src/runtime/coordinator/run-result.ts'
import { channelPair } from '../../src/runtime/launchers/memory-channel.ts'
import type { PlannedPipeline } from '../../src/runtime/tasks/planned-task.ts'
import { FakeNetwork } from './fake-network.ts'

/** How the worker comes to the run. */
export type Origin = 'joined' | 'launched' | 'launched with a channel' | 'joined-earlier' | 'launched-earlier'

/** What may happen to a worker from outside, and the time that passes until the next timer. */
export const EVENTS = [
  'time',
  'launch',
  'launch fails',
  'connect',
  'connect without leases',
  'connect from scratch',
  'disconnect',
  'task-ready',
  'done',
  'failed',
  'returned',
  'dropped',
  'setup-failed',
  'goodbye',
  'nonsense',
  'exit',
  'stop',
] as const
export type OutsideEvent = (typeof EVENTS)[number]

/** Lets all promises that are settled go on; there is no I/O to wait for. */
async function turn(): Promise<void> {
  for (let n = 0; n < 24; n++) await undefined
}

/** A clock whose time passes only when it is told to. */
class StepClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly ms: number; readonly call: () => void }>()

  now = (): number => this.#now
  date = (): number => this.#now

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + ms, ms, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Makes the calls that are due next. @returns false if there are none */
  step(): boolean {
    if (this.#timers.size === 0) return false
    this.#now = Math.max(this.#now, Math.min(...[...this.#timers].map(({ at }) => at)))
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue
      timer.call()
    }
    return true
  }

  /** The kinds of the timers, in the order in which they are due. */
  describe(): number[] {
    return [...this.#timers].sort((a, b) => a.at - b.at || a.ms - b.ms).map(({ ms }) => ms)
  }
}

interface Held {
  readonly lease: number
  readonly blocks: readonly number[]
  reported: number
  isRevoked: boolean
}

/** The process of a worker that the run has asked for. */
interface Process {
  readonly worker: string
  readonly session: string
  readonly started: PromiseWithResolvers<LaunchedWorker>
  readonly exited: PromiseWithResolvers<WorkerExit>
  state: 'asked for' | 'running' | 'gone'
}

/** A real coordinator on a simulated clock and network, with one worker that does whatever the test wants. */
export class Simulation {
  readonly coordinator: Coordinator
  readonly #clock = new StepClock()
  readonly #network = new FakeNetwork()
  readonly #stopping = new AbortController()
  readonly #origin: Origin
  readonly #processes: Process[] = []
  #channel: Channel<WorkerMessage> | undefined
  #identity: { readonly worker: string; readonly session: string } | undefined
  #held: Held[] = []
  #wasThere = false
  result: RunResult | undefined

  constructor(pipeline: PlannedPipeline, origin: Origin) {
    this.#origin = origin
    const launcher: WorkerLauncher = {
      launch: (worker, session) => this.#launch(worker, session),
      async [Symbol.asyncDispose]() {},
    }
    const isLaunched = origin === 'launched' || origin === 'launched with a channel'
    const wasThere = origin === 'joined-earlier' || origin === 'launched-earlier'
    const leases = [{ id: 1, taskId: 'line', blocks: [0, 1], reported: 0 }]
    const earlier = { number: 1, key: 'earlier', host: 'there', wasLaunched: origin === 'launched-earlier', leases }
    if (wasThere) {
      this.#identity = { worker: 'w1', session: 'earlier' }
      this.#held = [{ lease: 1, blocks: [0, 1], reported: 0, isRevoked: false }]
    }
    this.coordinator = new Coordinator(pipeline, {
      workers: 1,
      clock: this.#clock,
      launcherOf: () => (isLaunched ? launcher : undefined),
      listener: this.#network,
      signal: this.#stopping.signal,
      ...{ maxRetries: 0, timeoutMs: 60_000, setupTimeoutMs: 60_000, maxWorkerRestarts: 1 },
      ...(wasThere
        ? { sessions: { saved: { nextWorker: 2, nextLease: 2, sessions: [earlier] }, save: () => {} } }
        : {}),
    })
    // Its timer, which merges reports, decides nothing; it would only multiply the states.
    this.coordinator.parts.tally.reportProgress = () => {}
    void this.coordinator.run().then((result) => {
      this.result = result
    })
  }

  #launch(worker: string, session: string): Promise<LaunchedWorker> {
    const [started, exited] = [Promise.withResolvers<LaunchedWorker>(), Promise.withResolvers<WorkerExit>()]
    this.#processes.push({ worker, session, started, exited, state: 'asked for' })
    return started.promise
  }

  get #process(): Process | undefined {
    return this.#processes.findLast(({ state }) => state !== 'gone')
  }

  /** Whether the worker has ended: one that comes after it, even of the same process, is another one. */
  get isOver(): boolean {
    const isThere = this.coordinator.shared.workers.has('w1')
    this.#wasThere ||= isThere
    return this.#wasThere && !isThere
  }

  /** Whether an event can happen now. */
  can(event: OutsideEvent): boolean {
    const isUp = this.#channel !== undefined
    const [first] = this.#held
    switch (event) {
      case 'time':
        return this.#clock.describe().length > 0
      case 'launch':
      case 'launch fails':
        return this.#process?.state === 'asked for'
      case 'exit':
        return this.#process?.state === 'running'
      case 'connect':
        return (
          !isUp && (this.#origin === 'joined' || this.#origin.endsWith('earlier') || this.#process?.state === 'running')
        )
      case 'connect without leases':
        return !isUp && this.#identity !== undefined && this.#held.length > 0
      case 'connect from scratch':
        return !isUp && this.#identity !== undefined
      case 'done':
      case 'failed':
      case 'returned':
        return isUp && first !== undefined
      case 'dropped':
        return isUp && this.#held.some(({ isRevoked }) => isRevoked)
      case 'stop':
        return !this.#stopping.signal.aborted
      default:
        return isUp
    }
  }

  async happen(event: OutsideEvent): Promise<void> {
    const process = this.#process
    switch (event) {
      case 'time':
        this.#clock.step()
        break
      case 'launch':
        this.#startProcess(process as Process)
        break
      case 'launch fails':
        ;(process as Process).state = 'gone'
        process?.started.reject(new Error('no processes left'))
        break
      case 'exit':
        ;(process as Process).state = 'gone'
        process?.exited.resolve({ reason: 'exit code 1', lastOutput: '' })
        break
      case 'connect':
        this.#connect(this.#identity === undefined ? undefined : this.#held.map(({ lease }) => lease))
        break
      case 'connect without leases':
        this.#held = []
        this.#connect([])
        break
      case 'connect from scratch':
        this.#held = []
        this.#connect(undefined)
        break
      case 'disconnect':
        this.#channel?.close()
        break
      case 'stop':
        this.#stopping.abort()
        break
      default:
        this.#say(event)
    }
    await turn()
    void this.isOver
  }

  #startProcess(process: Process): void {
    process.state = 'running'
    const { exited } = process
    let channel: Channel<ServerMessage> | undefined
    if (this.#origin === 'launched with a channel') {
      const [server, worker] = channelPair<ServerMessage, WorkerMessage>()
      channel = server
      this.#use(worker)
      worker.send({ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: 'there' })
    }
    const launched = { exited: exited.promise, kill: () => {}, ...(channel === undefined ? {} : { channel }) }
    process.started.resolve(launched)
  }

  #connect(leases: readonly number[] | undefined): void {
    const process = this.#process
    const asked = process === undefined ? undefined : { worker: process.worker, session: process.session }
    const channel = this.#network.connect()
    this.#use(channel)
    channel.send({
      ...{ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: 'there' },
      ...(this.#identity ?? asked),
      ...(leases === undefined ? {} : { leases }),
    } as WorkerMessage)
  }

  #use(channel: Channel<WorkerMessage>): void {
    this.#channel = channel
    channel.onMessage((message) => this.#hear(message as ServerMessage))
    void channel.closed.then(() => {
      if (this.#channel === channel) this.#channel = undefined
    })
  }

  #hear(message: ServerMessage): void {
    if (message.type === 'welcome') {
      const { workerId: worker, session, leases } = message
      this.#identity = { worker, session }
      this.#held = this.#held.filter(({ lease }) => leases.some((known) => known.lease === lease))
    } else if (message.type === 'lease') {
      this.#held.push({ lease: message.lease, blocks: message.blocks, reported: 0, isRevoked: false })
    } else if (message.type === 'revoked') {
      for (const held of this.#held) if (held.lease === message.lease) held.isRevoked = true
    }
  }

  #say(event: OutsideEvent): void {
    const channel = this.#channel as Channel<WorkerMessage>
    const error = { code: 'BLOCK_FAILED', message: 'no' } as const
    switch (event) {
      case 'task-ready':
        channel.send({ type: 'task-ready', taskId: 'line' })
        break
      case 'done':
        this.#report({ status: 'done', ms: 1000 })
        break
      case 'failed':
        this.#report({ status: 'failed', ms: 1, error })
        break
      case 'returned':
        this.#report({ status: 'returned' })
        break
      case 'dropped': {
        const dropped = this.#held.find(({ isRevoked }) => isRevoked) as Held
        this.#held.splice(this.#held.indexOf(dropped), 1)
        channel.send({ type: 'dropped', lease: dropped.lease })
        break
      }
      case 'setup-failed':
        channel.send({ type: 'setup-failed', taskId: 'line', error })
        break
      case 'goodbye':
        channel.send({ type: 'goodbye' })
        break
      case 'nonsense':
        channel.send({ type: 'nonsense' } as unknown as WorkerMessage)
        break
      default:
        throw new Error(`nobody says ${event}`)
    }
  }

  /** Reports the next block of the first lease. */
  #report(outcome: Extract<WorkerMessage, { type: 'outcomes' }>['outcomes'][number]): void {
    const [held] = this.#held as [Held]
    held.reported++
    if (held.reported === held.blocks.length) this.#held.shift()
    this.#channel?.send({ type: 'outcomes', lease: held.lease, outcomes: [outcome] })
  }

  /** Nothing more happens but what the run's timers do. @returns whether they came to an end */
  async quiet(): Promise<boolean> {
    await turn()
    for (let steps = 0; steps < 500; steps++) {
      if (!this.#clock.step()) return true
      await turn()
      void this.isOver
    }
    return false
  }

  /** The status of the worker; undefined if it has ended, or not begun. */
  get status(): string | undefined {
    const worker = this.coordinator.shared.workers.get('w1')
    return worker && this.coordinator.parts.lives.stateOf(worker)?.status
  }

  /** How many blocks a worker holds. */
  get processing(): number {
    return this.coordinator.shared.scheduler.counts()[0]?.processing ?? 0
  }

  /** A second worker, of another host, does every block that it gets, until the run is over or nothing happens any more. */
  async finishWithAnother(): Promise<void> {
    const channel = this.#network.connect()
    channel.onMessage((raw) => {
      const message = raw as ServerMessage
      if (message.type === 'lease') {
        channel.send({ type: 'task-ready', taskId: 'line' })
        const outcomes = message.blocks.map(() => ({ status: 'done', ms: 1000 }) as const)
        channel.send({ type: 'outcomes', lease: message.lease, outcomes })
      } else if (message.type === 'drain') {
        channel.send({ type: 'goodbye' })
        channel.close()
      }
    })
    channel.send({ type: 'join', protocol: PROTOCOL_VERSION, pid: 1, host: 'elsewhere' })
    await turn()
    for (let steps = 0; this.result === undefined && steps < 500; steps++) {
      channel.send({ type: 'heartbeat' })
      await turn()
      if (!this.#clock.step()) return
      await turn()
    }
  }

  /** The state of the run and of its worker: two simulations with the same one go on in the same way. */
  describe(): string {
    const { shared, parts } = this.coordinator
    const { scheduler } = shared
    const last = shared.nextLease
    const blocks = Array.from({ length: 2 }, (_, index) => [
      scheduler.task(0).blockState(index),
      scheduler.task(0).failedAttempts(index),
    ])
    const task = shared.tasks[0] as (typeof shared.tasks)[number]
    const workers = [...shared.workers.values()].map((worker) => [
      shared.nextWorker - worker.number,
      worker.origin,
      JSON.stringify(parts.lives.stateOf(worker)).replaceAll(worker.id, 'w'),
      parts.book
        .leasesOf(worker)
        .map(({ id, blocks, reported, isFruitful }) => [last - id, blocks, reported, isFruitful]),
      parts.book.hasHadLease(worker),
      parts.book.hasRevoked(worker),
      parts.setups.isSetUp(worker, task),
      parts.setups.failedTask(worker) !== undefined,
      parts.connections.isRemote(worker),
      [parts.rests.futileLeases(worker), parts.rests.isResting(worker), parts.rests.hasFinished(worker)],
      parts.tally.completedBy(worker) > 0,
      worker.id === this.#identity?.worker && worker.key === this.#identity.session,
    ])
    const held = this.#held.map(({ lease, blocks, reported, isRevoked }) => [last - lease, blocks, reported, isRevoked])
    return JSON.stringify([
      ...[shared.phase, blocks, workers, held, this.result !== undefined, this.#channel !== undefined],
      ...[this.#identity !== undefined, this.#processes.map(({ state }) => state).slice(-1)],
      ...[task.restartsInARow, task.pool.restartsInARow, task.error !== undefined, [...task.suspects], task.averageMs],
      ...[shared.nextWorker - task.countsFrom, shared.nextWorker - task.pool.countsFrom, task.streak.length],
      parts.rests.leftWithout('there'),
      this.#clock.describe(),
    ])
  }
}
