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

/** A program that does blocks, one at a time. */
export interface Program {
  /** Resolves when it has joined. @throws InfrastructureError `WORKER_DIED`, `PROTOCOL_ERROR` */
  readonly ready: Promise<void>
  /** Whether it takes no more blocks. */
  readonly isOver: boolean
  /**
   * @param signal kills the program if it is aborted before the block is done
   * @throws InfrastructureError `WORKER_DIED` with its last output if it ends during the block, `PROTOCOL_ERROR`
   */
  doBlock(index: number, rois: WireRois, signal: AbortSignal): Promise<Outcome>
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

const STDOUT_ADVICE = 'standard output is for messages only; print to standard error instead'

class RunningProgram implements Program, ProgramListener {
  isOver = false
  readonly #ready = Promise.withResolvers<void>()
  readonly #name: string
  readonly #options: ProgramOptions
  readonly #process: ProgramProcess
  #lease = 0
  #block: { readonly resolve: (outcome: Outcome) => void; readonly reject: (error: Error) => void } | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
    this.#name = `The program "${options.command.join(' ')}"`
    this.#ready.promise.catch(() => {})
    this.#process = new ProgramProcess(options.command, options.env, this)
  }

  get ready(): Promise<void> {
    return this.#ready.promise
  }

  doBlock(index: number, rois: WireRois, signal: AbortSignal): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    this.#block = { resolve, reject }
    const stop = () =>
      this.#end(new InfrastructureError('INTERRUPTED', `${this.#name} was killed while it was doing a block.`))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    this.#process.keepsAwake = true
    this.#send({ type: 'lease', lease: ++this.#lease, taskId: this.#options.task.id, blocks: [index], rois: [rois] })
    return promise.finally(() => {
      signal.removeEventListener('abort', stop)
      this.#process.keepsAwake = false
    })
  }

  end(): void {
    if (this.#block === undefined) this.#process.endInput()
    else this.#end(new InfrastructureError('INTERRUPTED', `${this.#name} was killed while it was doing a block.`))
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
    const output = this.#process.lastOutput
    // Python, like most programs, ends its output with the reason; callers that have room for one line show the first.
    const lines = output.split('\n')
    const before = lines.length > 1 ? `\nIts last output:\n${output}` : ''
    const why = output === '' ? '' : `: ${lines.at(-1)?.trim()}`
    return new InfrastructureError('WORKER_DIED', `${this.#name} ended (${reason})${why}${before}`)
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
        if (this.#block === undefined) this.#letGo()
        else this.#end(this.#died('it left before its block was done'))
        break
      case 'usage':
        this.#options.onUsage?.(message)
        break
      case 'task-ready':
      case 'dropped':
        break
      default:
        message satisfies never
    }
  }

  #welcome({ protocol }: Join): void {
    assertSameProtocol(protocol)
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
    const [outcome] = outcomes
    if (lease !== this.#lease || outcome === undefined || outcomes.length !== 1 || this.#block === undefined) {
      throw new Error(
        `it reported ${outcomes.length} outcomes for lease ${lease}; expected one, for the block that it was given`,
      )
    }
    this.#block.resolve(outcome)
    this.#block = undefined
    // It returns its block because it is about to leave: the next one goes to another program.
    if (outcome.status === 'returned') this.#letGo()
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
    this.#block?.reject(error)
    this.#block = undefined
  }
}
