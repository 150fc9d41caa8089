import { z } from 'zod'
import type { RunEvent } from '../../src/core/events.ts'
import { given } from '../../src/core/given.ts'
import type { Join, ServerMessage } from '../../src/core/protocol/messages.ts'
import { isBitSet } from '../../src/core/scheduling/bitmap.ts'
import type { Channel } from '../../src/ports/channel.ts'
import type { Listener } from '../../src/ports/listener.ts'
import { EventStream } from '../../src/runtime/coordinator/event-stream.ts'
import { Coordinator } from '../../src/runtime/coordinator/run-pipeline.ts'
import type { RunResult } from '../../src/runtime/coordinator/run-result.ts'
import { defineTask } from '../../src/runtime/tasks/define-task.ts'
import { planPipeline } from '../../src/runtime/tasks/plan-pipeline.ts'
import { logNormal, randomNumbers } from './random.ts'
import { SimulatedTime } from './simulated-time.ts'
import { type Node, SimulatedWorker, type World } from './simulated-worker.ts'
import { planVolume } from './volume-plan.ts'

const volumeTask = defineTask({
  name: 'volume',
  module: import.meta.url,
  config: z.object({ side: z.number() }),
  plan: planVolume,
  setup: async () => async () => {},
})

/** What goes wrong: the mean time between two such events of a node, or the share of blocks; 0 for never. */
export interface Faults {
  /** Its workers end without a word, and others come after `downMs`. */
  readonly deathMs: number
  /** It stands still for up to `downMs`, and goes on. */
  readonly freezeMs: number
  /** Its connections break for a second. */
  readonly breakMs: number
  readonly downMs: number
  readonly stalled: number
  readonly failed: number
}

export interface SimulationOptions {
  readonly seed: number
  readonly side: number
  readonly workers: number
  readonly workersPerNode: number
  readonly blockMs: number
  readonly sigma: number
  readonly faults: Faults
  /** A worker that has not advanced for so long has stalled. @default as in every run */
  readonly stallMs?: number
  /** The run is stopped when so many further blocks are done. @default it goes on to its end */
  readonly stopAfter?: number
  /** Blocks that were done before: the run leaves them out. */
  readonly done?: Uint8Array
}

/** A simulated run in which no block has ended for so long will never end. */
const NOTHING_MS = 24 * 3_600_000

/** What has happened in a simulation. */
export interface Tally {
  leases: number
  done: number
  failedAttempts: number
  returned: number
  stalled: number
  deaths: number
  freezes: number
  breaks: number
  mostWorkers: number
  /** Bytes of the scheduler's state. */
  mostBytes: number
  /** Timers of the coordinator at the same time. */
  mostTimers: number
  /** Bytes of the whole process. */
  mostResident: number
  /** Simulated seconds. */
  seconds: number
}

/** Checks what the run does with its blocks: nothing is done twice, nor beside a neighbour. */
class BlockGuard {
  readonly #side: number
  readonly #done: Uint8Array
  readonly #running = new Set<number>()

  constructor(side: number, done: Uint8Array | undefined) {
    this.#side = side
    this.#done = done?.slice() ?? new Uint8Array(Math.ceil(side ** 3 / 8))
  }

  lease(index: number): void {
    if (isBitSet(this.#done, index)) throw new Error(`block ${index} is leased, but was done`)
    for (const other of this.#around(index)) {
      if (this.#running.has(other)) throw new Error(`block ${index} is leased while its neighbour ${other} is running`)
    }
    this.#running.add(index)
  }

  /** A leased block has ended. */
  end(index: number, isDone: boolean): void {
    if (!this.#running.delete(index)) throw new Error(`block ${index} ended, but was not leased`)
    if (isDone) this.#done[index >> 3]! |= 1 << (index & 7)
  }

  /** How many are running. */
  get running(): number {
    return this.#running.size
  }

  /** The block itself and those beside it. */
  *#around(index: number): Generator<number> {
    const side = this.#side
    const at = [Math.floor(index / side / side), Math.floor(index / side) % side, index % side] as const
    const near = (place: number) => [place - 1, place, place + 1].filter((one) => one >= 0 && one < side)
    for (const z of near(at[0]))
      for (const y of near(at[1])) for (const x of near(at[2])) yield (z * side + y) * side + x
  }
}

/** The real scheduler and the real coordinator, with workers and time that are simulated. */
export class ScaleSimulation implements World, Listener {
  readonly time = new SimulatedTime()
  readonly blockMs: () => number
  readonly tally: Tally = {
    ...{ leases: 0, done: 0, failedAttempts: 0, returned: 0, stalled: 0, deaths: 0, freezes: 0, breaks: 0 },
    ...{ mostWorkers: 0, mostBytes: 0, mostTimers: 0, mostResident: 0, seconds: 0 },
  }
  readonly #options: SimulationOptions
  readonly #random: () => number
  readonly #stopping = new AbortController()
  readonly #guard: BlockGuard
  #inbox: (() => void)[] = []
  #arrive: (channel: Channel<ServerMessage>, join: Join) => void = () => {}
  #sessions = 0
  #lastEnd = 0
  #result: RunResult | undefined

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#random = randomNumbers(options.seed)
    this.blockMs = logNormal(randomNumbers(options.seed + 1), options.blockMs, options.sigma)
    this.#guard = new BlockGuard(options.side, options.done)
  }

  stalls = (): boolean => this.#random() < this.#options.faults.stalled
  fails = (): boolean => this.#random() < this.#options.faults.failed

  connect(channel: Channel<ServerMessage>, join: Join): void {
    this.#arrive(channel, join)
  }

  later(receive: () => void): void {
    this.#inbox.push(receive)
  }

  onArrival(receive: (channel: Channel<ServerMessage>, join: Join) => void): void {
    this.#arrive = receive
  }

  newSession(): string {
    return `session-${++this.#sessions}`
  }

  /**
   * Runs it to its end, or until `stopAfter`.
   * @throws Error if a block is done twice or beside a neighbour, or if nothing happens any more
   */
  async run(): Promise<{ readonly result: RunResult; readonly coordinator: Coordinator }> {
    const { side, done, workers, workersPerNode } = this.#options
    const noArrays = { open: async () => undefined } as unknown as Parameters<typeof planPipeline>[1]['arrays']
    const planned = await planPipeline([volumeTask({ side })], { arrays: noArrays })
    const pipeline = {
      ...planned,
      tasks: planned.tasks.map((task) => (done === undefined ? task : { ...task, leftOut: done })),
    }
    const events = new EventStream()
    const coordinator = new Coordinator(pipeline, {
      ...{ workers, clock: this.time, events, launcherOf: () => undefined, listener: this },
      // A block that meets the faults of nodes again and again is no faulty block.
      ...{ maxRetries: 20, ...given({ stallMs: this.#options.stallMs }), signal: this.#stopping.signal },
    })
    events.listen((event) => this.#hear(event, coordinator))
    void coordinator.run().then((result) => {
      this.#result = result
    })
    for (let first = 0; first < workers; first += workersPerNode) {
      this.#startNode(`node-${first / workersPerNode}`, Math.min(workersPerNode, workers - first))
    }
    await this.#pass()
    const result = this.#result as RunResult | undefined
    if (result === undefined) throw new Error(`nothing happens any more: ${JSON.stringify(this.tally)}`)
    this.tally.seconds = this.time.now() / 1000
    this.tally.mostTimers = this.time.mostOwed
    if (this.#guard.running > 0) throw new Error(`${this.#guard.running} blocks are running after the end`)
    return { result, coordinator }
  }

  async #pass(): Promise<void> {
    do {
      if (this.time.now() - this.#lastEnd > NOTHING_MS) return
      while (this.#inbox.length > 0) {
        const messages = this.#inbox
        this.#inbox = []
        for (const receive of messages) receive()
        // What waits for the end of a connection is a promise.
        await undefined
      }
      await undefined
    } while (this.#result === undefined && this.time.step())
  }

  #startNode(name: string, count: number): void {
    const node: Node & { isFrozen: boolean } = { name, isFrozen: false }
    const workers = Array.from({ length: count }, () => new SimulatedWorker(this, node))
    const { deathMs, freezeMs, breakMs, downMs } = this.#options.faults
    for (const worker of workers) this.time.plan(this.#random() * 1000, () => worker.connect())
    this.#often(deathMs, () => {
      if (node.isFrozen) return
      this.tally.deaths++
      for (const worker of workers) worker.die()
      this.time.plan(downMs, () => {
        for (const worker of workers) worker.connect()
      })
    })
    this.#often(freezeMs, () => {
      if (node.isFrozen) return
      this.tally.freezes++
      node.isFrozen = true
      this.time.plan(downMs * this.#random(), () => {
        node.isFrozen = false
        for (const worker of workers) worker.thaw()
      })
    })
    this.#often(breakMs, () => {
      if (node.isFrozen) return
      this.tally.breaks++
      for (const worker of workers) worker.disconnect()
    })
  }

  /** Again and again, after times that are exponentially distributed. */
  #often(meanMs: number, act: () => void): void {
    if (meanMs === 0) return
    this.time.plan(-Math.log(1 - this.#random()) * meanMs, () => {
      if (this.#result !== undefined) return
      act()
      this.#often(meanMs, act)
    })
  }

  #hear(event: RunEvent, { shared }: Coordinator): void {
    const { tally } = this
    if (event.type === 'blocks-done') this.#lastEnd = this.time.now()
    switch (event.type) {
      case 'blocks-leased':
        tally.leases++
        for (const index of event.indices) this.#guard.lease(index)
        tally.mostWorkers = Math.max(tally.mostWorkers, shared.workers.size)
        tally.mostBytes = Math.max(tally.mostBytes, shared.scheduler.bytesInUse)
        if (tally.leases % 4096 === 1) tally.mostResident = Math.max(tally.mostResident, process.memoryUsage.rss())
        break
      case 'blocks-done':
        for (const index of event.indices) this.#guard.end(index, true)
        tally.done += event.indices.length
        if (tally.done >= (this.#options.stopAfter ?? Number.POSITIVE_INFINITY))
          this.time.plan(0, () => this.#stopping.abort())
        break
      case 'blocks-returned':
        for (const index of event.indices) this.#guard.end(index, false)
        tally.returned += event.indices.length
        break
      case 'block-retried':
        this.#guard.end(event.index, false)
        tally.failedAttempts++
        break
      case 'block-failed':
        this.#guard.end(event.failure.index, false)
        tally.failedAttempts++
        break
      case 'worker-stalled':
        tally.stalled++
        break
      default:
    }
  }
}
