import {
  ConfigError,
  type ErrorCode,
  InfrastructureError,
  messageOf,
  toWireError,
  type WireError,
} from '../core/errors.ts'
import { type BlockGrid, createBlockGrid } from '../core/grid/block-grid.ts'
import {
  MAX_LEASES,
  type Outcome,
  PROTOCOL_VERSION,
  type RefusalCode,
  type ServerMessage,
  type WireRois,
  type WireTask,
  type WorkerMessage,
  type WorkerUsage,
} from '../core/protocol/messages.ts'
import { parseServerMessage } from '../core/protocol/parse.ts'
import type { Channel } from '../ports/channel.ts'
import type { Clock } from '../ports/clock.ts'
import type { ProcessBlock, TaskBlock } from './define-task.ts'

/** What a block's function gives when the worker leaves with the block undone: it is handed back, and no try. */
export const RETURNED = Symbol('returned')

/** A task's function, ready to be called in this worker. */
export interface LoadedTask {
  process(...args: Parameters<ProcessBlock>): ReturnType<ProcessBlock> | Promise<undefined | typeof RETURNED>
  readonly isDone?: (block: TaskBlock) => boolean | Promise<boolean>
}

/** A link to a coordinator, and what lets this worker in there. */
export interface WorkerLink {
  readonly channel: Channel<WorkerMessage>
  readonly token?: string
}

/** What a worker is given by the place where it runs. */
export interface WorkerOptions {
  /** Called at the start, and again when the link has ended. @throws ConfigError when trying again is of no use */
  connect(): Promise<WorkerLink>
  /** How long to try to reach the coordinator, at first and when the link has ended. @default 0: its end is the worker's */
  readonly reconnectMs?: number
  /** The name that this worker was started with. */
  readonly identity?: { readonly worker: string; readonly session: string }
  /** Loads the task's module and calls its `setup`. */
  loadTask(task: WireTask, workerId: string): Promise<LoadedTask>
  /** What this worker has needed so far. @default it does not say */
  readonly usage?: () => WorkerUsage
  readonly clock: Clock
  /** From 0 to 1: spreads the workers that come back at the same time. @default 0.5 */
  readonly random?: () => number
  /** Lets what has come in be received: a function that never waits would keep the messages out. */
  readonly breathe: () => Promise<void>
  readonly pid: number
  readonly host: string
  /** Leases are to come with the Rois of their blocks. @default false */
  readonly rois?: boolean
  /** Aborted when the worker is ended at once; the running block's function sees it. */
  readonly signal: AbortSignal
  /** Aborted when the worker is told, from where it runs, to finish its block and hand back the rest. */
  readonly drain?: AbortSignal
  /** Tells what happens to the link, for people; that it was not made or is lost once until it is there again. */
  readonly onLink?: (event: 'welcome' | 'lost', detail: string) => void
}

/** How a worker ended. */
export interface WorkerEnd {
  /** Blocks done or skipped. */
  readonly blocks: number
  /** The task that could not be set up, when that was it. */
  readonly setupError?: WireError
}

/** Finished blocks are reported after this at the latest, also while another block waits; messages are let in between two. */
const REPORT_MS = 20
/** Blocks of a lease that are not begun after this are handed back: others may be waiting for them. */
const GIVE_BACK_MS = 500
/** Characters of an error's message and of its stack that are sent. */
const MAX_ERROR_TEXT = 8192
/** Characters of errors in one message. */
const MAX_REPORT_TEXT = 262_144
/** What a worker has needed is told at most this often, and at its end. */
const USAGE_MS = 1000
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 5000
/** How long a coordinator may take to welcome this worker, before it tries again: a frozen one takes connections, too. */
const WELCOME_MS = 30_000
/** Heartbeats without an answer after which a link is taken for broken. */
const MAX_UNANSWERED = 3

interface Lease {
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

interface WorkerTask {
  readonly wire: WireTask
  readonly grid?: BlockGrid
  loaded?: LoadedTask
}

/**
 * The life of a worker: says hello, does the blocks that it is given, one at a time, reports them, and leaves when it is
 * told to. When the link breaks it goes on with its block, comes back and reports what it finished meanwhile.
 * @throws InfrastructureError `UNAUTHORIZED` or `PROTOCOL_ERROR` when the coordinator sends it away, `CONNECTION_LOST` when
 * the coordinator was not reached for `reconnectMs`; what `connect` throws for good
 */
export function runWorker(options: WorkerOptions): Promise<WorkerEnd> {
  return new Worker(options).live()
}

class Worker {
  readonly #options: WorkerOptions
  readonly #tasks = new Map<string, WorkerTask>()
  /** To do, in this order. */
  readonly #queue: Lease[] = []
  /** The last ones, done or not: their outcomes may have to be sent again. */
  readonly #kept: Lease[] = []
  #current: Lease | undefined
  /** The link, once it was welcomed. */
  #channel: Channel<WorkerMessage> | undefined
  #identity: { readonly worker: string; readonly session: string } | undefined
  #wasWelcome = false
  /** Whether a coordinator has ever welcomed this worker. */
  #hasBegun = false
  #isToldLost = false
  /** The link, welcomed or not. */
  #link: Channel<WorkerMessage> | undefined
  /** Tasks whose set-up was told over this link. */
  readonly #toldReady = new Set<string>()
  #draining = false
  #ended = false
  #failure: unknown
  #blocks = 0
  #hasSent = false
  #unanswered = 0
  #cancelHeartbeat = () => {}
  #toldUsage = 0
  /** What was read and written under an earlier name. */
  #toldBefore = { readBytes: 0, writtenBytes: 0 }
  #wake = () => {}
  #endPause = () => {}

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#identity = options.identity
  }

  async live(): Promise<WorkerEnd> {
    const { signal, drain } = this.#options
    const end = () => this.#end()
    const leave = () => {
      this.#draining = true
      this.#wake()
      // One that is not linked has no one to say goodbye to.
      if (this.#channel === undefined && this.#current === undefined) this.#end()
    }
    if (signal.aborted) this.#ended = true
    if (drain?.aborted) leave()
    signal.addEventListener('abort', end)
    drain?.addEventListener('abort', leave)
    const linked = this.#keepLink()
    const setupError = await this.#work()
    this.#tellUsage(0)
    if (this.#failure === undefined) this.#send({ type: 'goodbye' })
    this.#ended = true
    this.#endPause()
    this.#cancelHeartbeat()
    this.#link?.close()
    await linked
    signal.removeEventListener('abort', end)
    drain?.removeEventListener('abort', leave)
    if (this.#failure !== undefined) throw this.#failure
    return { blocks: this.#blocks, ...(setupError === undefined ? {} : { setupError }) }
  }

  #end(): void {
    this.#ended = true
    this.#current?.ending.abort()
    this.#link?.close()
    this.#wake()
    this.#endPause()
  }

  // --- the link

  /** Keeps a link to the coordinator until the worker ends, or the time for trying has passed. */
  async #keepLink(): Promise<void> {
    const { clock, connect, reconnectMs = 0, random = () => 0.5 } = this.#options
    let lostAt = clock.now()
    let pause = 0
    while (!this.#ended) {
      let problem = 'the connection ended'
      try {
        if (pause > 0) await this.#pause(pause * (0.5 + random()))
        if (this.#ended) return
        const link = await connect()
        const wasWelcome = await this.#useLink(link)
        if (!wasWelcome) problem = 'the connection ended before the coordinator had answered'
        if (wasWelcome) {
          lostAt = clock.now()
          pause = 0
        } else pause = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2))
      } catch (error) {
        // What said where the coordinator is has gone with its run.
        if (this.#hasBegun && error instanceof ConfigError && error.code === 'NO_SUCH_FILE') return this.#end()
        if (error instanceof ConfigError) this.#fail(error)
        problem = messageOf(error)
        pause = Math.min(MAX_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2))
      }
      if (this.#ended) return
      this.#tellLost(problem)
      if (this.#draining && this.#current === undefined) return this.#end()
      if (clock.now() - lostAt < reconnectMs) continue
      // A link in memory ends when its run does.
      if (reconnectMs === 0) return this.#end()
      this.#fail(
        new InfrastructureError(
          'CONNECTION_LOST',
          `The coordinator was not reached for ${Math.round(reconnectMs / 1000)} s: ${problem}`,
        ),
      )
    }
  }

  /** Says hello and waits for the end of the link. @returns whether it was welcome */
  async #useLink({ channel, token }: WorkerLink): Promise<boolean> {
    const { pid, host, rois = false, reconnectMs = 0, clock } = this.#options
    this.#wasWelcome = false
    this.#link = channel
    if (this.#ended) channel.close()
    channel.onMessage((message) => {
      try {
        this.#receive(channel, parseServerMessage(message))
      } catch (error) {
        this.#fail(error)
        channel.close()
      }
    })
    // Before the first welcome this worker has nothing, whatever name it was given.
    const leases = this.#hasBegun ? { leases: this.#kept.map(({ id }) => id) } : {}
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
    this.#channel = undefined
    this.#cancelHeartbeat()
    return this.#wasWelcome
  }

  #tellLost(problem: string): void {
    if (!this.#isToldLost) this.#options.onLink?.('lost', problem)
    this.#isToldLost = true
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#end()
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

  #send(message: WorkerMessage): void {
    this.#hasSent = true
    this.#channel?.send(message)
  }

  /** Says that it lives, when nothing else does. */
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

  #receive(channel: Channel<WorkerMessage>, message: ServerMessage): void {
    this.#unanswered = 0
    switch (message.type) {
      case 'welcome': {
        const isRenamed = this.#hasBegun && this.#identity?.worker !== message.workerId
        if (isRenamed) this.#toldBefore = this.#options.usage?.() ?? this.#toldBefore
        this.#identity = { worker: message.workerId, session: message.session }
        this.#channel = channel
        this.#wasWelcome = true
        this.#hasBegun = true
        this.#isToldLost = false
        this.#toldReady.clear()
        this.#beat(channel, message.heartbeatMs)
        this.#options.onLink?.('welcome', message.workerId)
        for (const lease of [...this.#kept]) {
          const known = message.leases.find(({ lease: id }) => id === lease.id)
          if (known === undefined) this.#revoke(lease)
          else {
            lease.sent = Math.min(known.reported, lease.outcomes.length)
            this.#report(lease)
          }
        }
        break
      }
      case 'task':
        this.#takeTask(message.task)
        break
      case 'lease': {
        const task = this.#tasks.get(message.taskId)
        if (task !== undefined && task.grid === undefined && message.rois === undefined) {
          const reason = `Blocks of "${message.taskId}" came without Rois, and it has no grid.`
          throw new InfrastructureError('PROTOCOL_ERROR', reason)
        }
        const lease: Lease = {
          id: message.lease,
          taskId: message.taskId,
          blocks: message.blocks,
          ...(message.rois === undefined ? {} : { rois: message.rois }),
          outcomes: [],
          sent: 0,
          ending: new AbortController(),
          isRevoked: false,
        }
        this.#queue.push(lease)
        this.#kept.push(lease)
        if (this.#kept.length > MAX_LEASES) this.#kept.shift()
        break
      }
      case 'revoked': {
        const lease = this.#kept.find(({ id }) => id === message.lease)
        if (lease === undefined) this.#send({ type: 'dropped', lease: message.lease })
        else this.#revoke(lease)
        break
      }
      case 'drain':
        this.#draining = true
        break
      case 'heartbeat':
        break
      case 'refused':
        this.#takeRefusal(message.code, message.message)
        break
      default:
        message satisfies never
    }
    this.#wake()
  }

  #takeTask(wire: WireTask): void {
    const { id, grid } = wire
    if (this.#tasks.has(id)) return
    this.#tasks.set(id, { wire, ...(grid === undefined ? {} : { grid: createBlockGrid({ ...grid, taskId: id }) }) })
  }

  #takeRefusal(code: RefusalCode, message: string): void {
    switch (code) {
      case 'TOO_MANY_CONNECTIONS':
        break
      case 'RUN_OVER':
        this.#end()
        break
      case 'UNAUTHORIZED':
      case 'PROTOCOL_ERROR':
        this.#fail(new InfrastructureError(code satisfies ErrorCode, message))
        break
      default:
        code satisfies never
    }
  }

  #revoke(lease: Lease): void {
    const kept = this.#kept.indexOf(lease)
    if (kept !== -1) this.#kept.splice(kept, 1)
    const waiting = this.#queue.indexOf(lease)
    if (waiting !== -1) this.#queue.splice(waiting, 1)
    lease.isRevoked = true
    // The one that is worked on is dropped when its block has ended.
    if (lease === this.#current) lease.ending.abort()
    else this.#send({ type: 'dropped', lease: lease.id })
  }

  /** Sends what the coordinator does not have yet; without a link it is kept. */
  #report(lease: Lease): void {
    if (this.#channel === undefined || lease.isRevoked) return
    let from = lease.sent
    let text = 0
    for (let at = from; at < lease.outcomes.length; at++) {
      const outcome = lease.outcomes[at] as Outcome
      if (outcome.status !== 'failed') continue
      text += outcome.error.message.length + (outcome.error.stack?.length ?? 0)
      if (text < MAX_REPORT_TEXT) continue
      this.#send({ type: 'outcomes', lease: lease.id, outcomes: lease.outcomes.slice(from, at + 1) })
      from = at + 1
      text = 0
    }
    if (from < lease.outcomes.length) {
      this.#send({ type: 'outcomes', lease: lease.id, outcomes: lease.outcomes.slice(from) })
    }
    lease.sent = lease.outcomes.length
    this.#tellUsage(USAGE_MS)
  }

  #tellUsage(atMostEveryMs: number): void {
    const { usage, clock } = this.#options
    const now = clock.now()
    if (usage === undefined || this.#blocks === 0 || now - this.#toldUsage < atMostEveryMs) return
    this.#toldUsage = now
    const { readBytes, writtenBytes, peakMemory } = usage()
    this.#send({
      type: 'usage',
      readBytes: readBytes - this.#toldBefore.readBytes,
      writtenBytes: writtenBytes - this.#toldBefore.writtenBytes,
      peakMemory,
    })
  }

  // --- the blocks

  /** Does leases until there is a reason to leave. @returns the error of a task that could not be set up */
  async #work(): Promise<WireError | undefined> {
    while (!this.#ended) {
      const lease = this.#queue.shift()
      if (lease === undefined) {
        if (this.#draining) return undefined
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        continue
      }
      this.#current = lease
      const setupError = await this.#doLease(lease)
      this.#current = undefined
      if (lease.isRevoked) this.#send({ type: 'dropped', lease: lease.id })
      if (setupError !== undefined) return setupError
      // What was reported goes out, and what has come in is received.
      await this.#options.breathe()
    }
    return undefined
  }

  async #doLease(lease: Lease): Promise<WireError | undefined> {
    const { clock } = this.#options
    if (this.#draining) {
      for (const _ of lease.blocks) lease.outcomes.push({ status: 'returned' })
      this.#report(lease)
      return undefined
    }
    let task: WorkerTask
    try {
      task = await this.#setUp(lease.taskId)
    } catch (error) {
      const setupError = cut(toWireError(error, 'SETUP_FAILED'))
      this.#send({ type: 'setup-failed', taskId: lease.taskId, error: setupError })
      return setupError
    }
    const begun = clock.now()
    let reported = begun
    let cancelReport: (() => void) | undefined
    using _ = { [Symbol.dispose]: () => cancelReport?.() }
    for (let at = 0; at < lease.blocks.length; at++) {
      const now = clock.now()
      if (now - reported > REPORT_MS) {
        this.#report(lease)
        reported = now
        await this.#options.breathe()
      }
      if (this.#ended || lease.isRevoked) return undefined
      if (this.#draining || now - begun > GIVE_BACK_MS) {
        lease.outcomes.push({ status: 'returned' })
        continue
      }
      // A long block after short ones must not keep their outcomes back.
      if (lease.outcomes.length > lease.sent) {
        cancelReport ??= clock.after(REPORT_MS, () => {
          cancelReport = undefined
          this.#report(lease)
        })
      }
      const block = this.#blockAt(lease, at, task)
      const outcome = await this.#doBlock(task.loaded as LoadedTask, block, lease.ending.signal)
      if (outcome.status === 'done' || outcome.status === 'skipped') this.#blocks++
      lease.outcomes.push(outcome)
    }
    this.#report(lease)
    return undefined
  }

  #blockAt({ blocks, rois, taskId }: Lease, at: number, { grid }: WorkerTask): TaskBlock {
    const index = blocks[at] as number
    const given = rois?.[at]
    if (given === undefined) return { ...(grid as BlockGrid).block(index), taskId }
    return { index, readRoi: given.read, writeRoi: given.write, taskId }
  }

  async #setUp(taskId: string): Promise<WorkerTask> {
    const task = this.#tasks.get(taskId)
    if (task === undefined) {
      throw new ConfigError('UNKNOWN_TASK', `The coordinator leased blocks of "${taskId}" before it described it.`)
    }
    task.loaded ??= await this.#options.loadTask(task.wire, this.#identity?.worker ?? '')
    if (!this.#toldReady.has(taskId)) {
      this.#toldReady.add(taskId)
      this.#send({ type: 'task-ready', taskId })
    }
    return task
  }

  async #doBlock(task: LoadedTask, block: TaskBlock, signal: AbortSignal): Promise<Outcome> {
    const { clock } = this.#options
    const begun = clock.now()
    const failed = (error: WireError): Outcome => ({ status: 'failed', ms: clock.now() - begun, error: cut(error) })
    try {
      if (task.isDone !== undefined && (await this.#check(task.isDone, block))) return { status: 'skipped' }
      if ((await task.process(block, { signal })) === RETURNED) return { status: 'returned' }
      if (task.isDone !== undefined && !(await this.#check(task.isDone, block))) {
        return failed({
          code: 'BLOCK_CHECK_FAILED',
          message: `isDone says that block ${block.taskId}/${block.index} is not done after its function returned.`,
        })
      }
      return { status: 'done', ms: clock.now() - begun }
    } catch (error) {
      return failed(toWireError(error))
    }
  }

  async #check(isDone: NonNullable<LoadedTask['isDone']>, block: TaskBlock): Promise<boolean> {
    try {
      return await isDone(block)
    } catch (error) {
      const { message, stack } = toWireError(error)
      throw Object.assign(new ConfigError('BLOCK_CHECK_FAILED', `isDone threw: ${message}`, { cause: error }), {
        stack,
      })
    }
  }
}

const cut = ({ code, message, stack }: WireError): WireError => ({
  code,
  message: message.slice(0, MAX_ERROR_TEXT),
  ...(stack === undefined ? {} : { stack: stack.slice(0, MAX_ERROR_TEXT) }),
})
