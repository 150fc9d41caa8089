import { InfrastructureError, messageOf } from '../../core/errors.ts'
import { parseLine } from '../../core/protocol/lines.ts'
import {
  type Join,
  type Outcome,
  PROTOCOL_VERSION,
  type ServerMessage,
  STDIO_CONTEXT,
  type WireRois,
  type WorkerMessage,
  type WorkerUsage,
} from '../../core/protocol/messages.ts'
import { parseWorkerMessage } from '../../core/protocol/parse.ts'
import { assertSameProtocol } from '../../core/protocol/version.ts'
import { explainMissing } from '../../core/system-errors.ts'
import { withLastOutput } from '../../core/text/error-reason.ts'
import { type ProgramListener, ProgramProcess } from './program-process.ts'

export interface ProgramOptions {
  /** The program and its arguments; started without a shell. */
  readonly command: readonly string[]
  /** The contents of the message `task`. Its id is also that of every lease. */
  readonly task: { readonly id: string } & Readonly<Record<string, unknown>>
  readonly workerId: string
  /** Variables added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Called with the resources that the program reports to have used so far. */
  readonly onUsage?: (usage: WorkerUsage) => void
}

/** A block as a program is given it. */
export interface ProgramBlock {
  readonly index: number
  readonly rois: WireRois
}

/** A program that does blocks, one after the other. */
export interface Program {
  /** Resolves when it has joined. @throws InfrastructureError `WORKER_DIED`, `PROTOCOL_ERROR` */
  readonly ready: Promise<void>
  /** Called when it says that its block advances. */
  onProgress: (() => void) | undefined
  /** Whether it takes no more blocks. */
  readonly isOver: boolean
  /** Whether it was given a block that nobody has asked for yet; without an index: any. */
  has(index?: number): boolean
  /**
   * @param signal kills the program if it is aborted before the block is done, or one that it was given with it
   * @param following what it may be given together with this block: it will be asked for next, in this order
   * @throws InfrastructureError `WORKER_DIED` with its last output if it ends during the block, `PROTOCOL_ERROR`
   */
  doBlock(block: ProgramBlock, signal: AbortSignal, following?: () => Iterable<ProgramBlock>): Promise<Outcome>
  /** Closes its input, so that it exits; kills it if it is doing a block. */
  end(): void
}

/**
 * Starts a program that speaks the protocol on its standard input and output, as the coordinator of this one worker.
 * @throws ConfigError `INVALID_TASK` when `command` is no program with its arguments
 */
export function startProgram(options: ProgramOptions): Program {
  return new RunningProgram(options)
}

/** Blocks are given together for about this long, and at most so many. */
const BATCH_MS = 10
const MAX_BATCH = 64

/** A block that the program has not reported. */
interface Given {
  readonly resolve: (outcome: Outcome) => void
  readonly reject: (error: Error) => void
}

const STDOUT_ADVICE = 'standard output is for messages only; print to standard error instead'

class RunningProgram implements Program, ProgramListener {
  isOver = false
  onProgress: (() => void) | undefined
  readonly #ready = Promise.withResolvers<void>()
  readonly #name: string
  readonly #options: ProgramOptions
  readonly #process: ProgramProcess
  #lease = 0
  /** What it was given and nobody has asked for, by index. */
  readonly #given = new Map<number, Promise<Outcome>>()
  /** What it has not reported, in the order of its lease. */
  #hand: Given[] = []
  #settled = () => {}
  #takesBatches = false
  /** Of its last blocks; at first, so that one block is given to find out. */
  #averageMs = BATCH_MS

  constructor(options: ProgramOptions) {
    this.#options = options
    this.#name = `The program "${options.command.join(' ')}"`
    this.#ready.promise.catch(() => {})
    this.#process = new ProgramProcess(options.command, options.env, this)
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  has(index?: number): boolean {
    return index === undefined ? this.#given.size > 0 : this.#given.has(index)
  }

  async doBlock(
    block: ProgramBlock,
    signal: AbortSignal,
    following: () => Iterable<ProgramBlock> = () => [],
  ): Promise<Outcome> {
    if (!this.#given.has(block.index)) this.#give(block, following, signal)
    const outcome = this.#given.get(block.index) as Promise<Outcome>
    this.#given.delete(block.index)
    const stop = this.#stopper()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    return outcome.finally(() => signal.removeEventListener('abort', stop))
  }

  #stopper(): () => void {
    return () =>
      this.#end(new InfrastructureError('INTERRUPTED', `${this.#name} was killed while it was doing a block.`))
  }

  /** Sends a lease: the block, and as many of the next ones as are short enough. */
  #give(block: ProgramBlock, following: () => Iterable<ProgramBlock>, signal: AbortSignal): void {
    const blocks = [block]
    const count = this.#takesBatches ? Math.min(MAX_BATCH, Math.floor(BATCH_MS / this.#averageMs)) : 1
    if (count > 1) {
      for (const next of following()) if (blocks.push(next) >= count) break
    }
    for (const { index } of blocks) {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
      promise.catch(() => {})
      this.#given.set(index, promise)
      this.#hand.push({ resolve, reject })
    }
    // Until all of them are done, whoever may have asked for them by then.
    const stop = this.#stopper()
    signal.addEventListener('abort', stop)
    this.#settled = () => signal.removeEventListener('abort', stop)
    this.#process.keepsAwake = true
    const [indices, rois] = [blocks.map(({ index }) => index), blocks.map((each) => each.rois)]
    this.#send({ type: 'lease', lease: ++this.#lease, taskId: this.#options.task.id, blocks: indices, rois })
  }

  end(): void {
    if (this.#hand.length === 0) this.#process.endInput()
    else this.#stopper()()
  }

  // --- its process reports

  ended(reason: string): void {
    this.#end(this.#died(reason))
  }

  takeLine(line: string): void {
    if (!this.isOver) this.#receive(parseWorkerMessage(parseLine(line)))
  }

  fail(error: unknown): void {
    const message = `${this.#name}: ${messageOf(error)} (${STDOUT_ADVICE})`
    this.#end(new InfrastructureError('PROTOCOL_ERROR', message, { cause: error }))
  }

  #died(reason: string): InfrastructureError {
    const why = explainMissing(reason)
    const what = why === reason ? `ended (${reason})` : `can't be started: ${why}`
    const message = withLastOutput(`${this.#name} ${what}`, this.#process.lastOutput)
    return new InfrastructureError('WORKER_DIED', message)
  }

  #send(message: ServerMessage): void {
    this.#process.send(message)
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case 'join':
        this.#welcome(message)
        break
      case 'outcomes':
        this.#takeOutcomes(message.lease, message.outcomes)
        break
      case 'setup-failed':
        this.#end(new InfrastructureError('WORKER_DIED', message.error.message))
        break
      case 'heartbeat':
        this.#send({ type: 'heartbeat' })
        break
      case 'goodbye':
        if (this.#hand.length === 0) this.#letGo()
        else this.#end(this.#died('it left before its block was done'))
        break
      case 'usage':
        this.#options.onUsage?.(message)
        break
      case 'progress':
        this.onProgress?.()
        break
      case 'task-ready':
      case 'dropped':
        break
      default:
        message satisfies never
    }
  }

  #welcome({ protocol, batches = false }: Join): void {
    assertSameProtocol(protocol)
    this.#takesBatches = batches
    this.#send({
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      workerId: this.#options.workerId,
      session: STDIO_CONTEXT,
      heartbeatMs: 0,
      leases: [],
    })
    // A program needs no more of a task than this; the rest of a WireTask is optional to it.
    this.#process.send({ type: 'task', task: this.#options.task })
    this.#process.keepsAwake = false
    this.#ready.resolve()
  }

  #takeOutcomes(lease: number, outcomes: readonly Outcome[]): void {
    if (lease !== this.#lease || outcomes.length === 0 || outcomes.length > this.#hand.length) {
      throw new Error(
        `it reported ${outcomes.length} outcomes for lease ${lease}; expected at most ${this.#hand.length}, for the blocks that it was given`,
      )
    }
    for (const outcome of outcomes) {
      this.#hand.shift()?.resolve(outcome)
      if (outcome.status === 'done') this.#averageMs = Math.max(0.01, 0.8 * this.#averageMs + 0.2 * outcome.ms)
    }
    if (this.#hand.length === 0) {
      this.#settled()
      this.#process.keepsAwake = false
    }
    // It returns blocks because it is about to leave: the next ones go to another program.
    if (outcomes.some(({ status }) => status === 'returned') && this.#hand.length === 0) this.#letGo()
  }

  /** It is about to exit by itself. */
  #letGo(): void {
    this.isOver = true
    this.#process.endInput()
  }

  #end(error: Error): void {
    if (this.isOver) return
    this.isOver = true
    this.#process.kill()
    this.#ready.reject(error)
    this.#settled()
    this.#process.keepsAwake = false
    for (const { reject } of this.#hand) reject(error)
    this.#hand = []
    // Those that nobody has asked for are given to another program: only the first one has failed.
    this.#given.clear()
  }
}
