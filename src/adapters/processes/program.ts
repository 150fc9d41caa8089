import { type ChildProcess, spawn } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import {
  MAX_LINE_BYTES,
  type Outcome,
  PROTOCOL_VERSION,
  STDIO_CONTEXT,
  type WireRois,
  type WorkerUsage,
} from '../../core/protocol/messages.ts'
import { parseLine, parseWorkerMessage } from '../../core/protocol/parse.ts'

/** What is kept of a program's standard error, to be shown when it dies. */
const LAST_OUTPUT_CHARACTERS = 2000

export interface ProgramOptions {
  /** The program and its arguments; started without a shell. */
  readonly command: readonly string[]
  /** What the message `task` says; its id is that of every lease. */
  readonly task: { readonly id: string } & Readonly<Record<string, unknown>>
  readonly workerId: string
  readonly env?: Readonly<Record<string, string>>
  /** Told what the program says that it has needed so far. */
  readonly onUsage?: (usage: WorkerUsage) => void
}

/** A program that does blocks, one at a time. */
export interface Program {
  /** Resolves when it has said hello. @throws InfrastructureError `WORKER_DIED`, `PROTOCOL_ERROR` */
  readonly ready: Promise<void>
  readonly isOver: boolean
  /**
   * @param signal ends the program, when it is aborted before the block is done
   * @throws InfrastructureError `WORKER_DIED` with its last output when it ends meanwhile, `PROTOCOL_ERROR`
   */
  doBlock(index: number, rois: WireRois, signal: AbortSignal): Promise<Outcome>
  /** Ends its input: one that has no block leaves then. */
  end(): void
}

/** Starts a program that speaks the protocol on its standard input and output, as the coordinator of this one worker. */
export function startProgram(options: ProgramOptions): Program {
  return new RunningProgram(options)
}

class RunningProgram implements Program {
  readonly ready: Promise<void>
  isOver = false
  readonly #child: ChildProcess
  readonly #name: string
  readonly #options: ProgramOptions
  readonly #markReady: () => void
  readonly #failReady: (error: Error) => void
  #partial: string[] = []
  #partialLength = 0
  #lastOutput = ''
  #lease = 0
  #block: { readonly resolve: (outcome: Outcome) => void; readonly reject: (error: Error) => void } | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
    const [file, ...args] = options.command
    if (file === undefined || options.command.some((part) => typeof part !== 'string')) {
      const shown = JSON.stringify(options.command)
      throw new ConfigError('INVALID_TASK', `The command of a task is ${shown}; give a program and its arguments.`)
    }
    this.#name = `The program "${options.command.join(' ')}"`
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    promise.catch(() => {})
    this.#markReady = resolve
    this.#failReady = reject
    const { BELLIS_WORKER: _, ...env } = process.env
    this.#child = spawn(file, args, {
      stdio: 'pipe',
      env: { ...env, ...options.env, BELLIS_CONTEXT: STDIO_CONTEXT },
    })
    this.#listen()
  }

  doBlock(index: number, rois: WireRois, signal: AbortSignal): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    this.#block = { resolve, reject }
    const stop = () => this.#end(new InfrastructureError('INTERRUPTED', `${this.#name} was ended within its block.`))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop)
    this.#keepAwake(true)
    this.#send({ type: 'lease', lease: ++this.#lease, taskId: this.#options.task.id, blocks: [index], rois: [rois] })
    return promise.finally(() => {
      signal.removeEventListener('abort', stop)
      this.#keepAwake(false)
    })
  }

  end(): void {
    this.#child.stdin?.end()
  }

  #listen(): void {
    const { stdin, stdout, stderr } = this.#child
    // Its end is told by 'close'.
    stdin?.on('error', () => {})
    const decoder = new StringDecoder('utf8')
    stdout?.on('data', (chunk: Buffer) => this.#take(decoder.write(chunk)))
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text)
      this.#lastOutput = (this.#lastOutput + text).slice(-LAST_OUTPUT_CHARACTERS)
    })
    this.#child.on('error', (error) => this.#end(this.#died(error.message)))
    // After all its output.
    this.#child.on('close', (code, signal) =>
      this.#end(this.#died(signal === null ? `exit code ${code}` : `killed by ${signal}`)),
    )
  }

  #died(reason: string): InfrastructureError {
    const output = this.#lastOutput.trim()
    return new InfrastructureError(
      'WORKER_DIED',
      `${this.#name} ended (${reason})${output === '' ? '' : `; its last output:\n${output}`}`,
    )
  }

  #send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** A program that waits for blocks does not keep this process from its end. */
  #keepAwake(isBusy: boolean): void {
    const { stdin, stdout, stderr } = this.#child
    const handles = [this.#child, stdin, stdout, stderr] as readonly { ref?: () => void; unref?: () => void }[]
    for (const handle of handles) isBusy ? handle?.ref?.() : handle?.unref?.()
  }

  #take(text: string): void {
    const lines = text.split('\n')
    const rest = lines.pop() as string
    for (const line of lines) {
      const whole = [...this.#partial, line].join('')
      this.#partial = []
      this.#partialLength = 0
      this.#guard(() => this.#receive(whole))
    }
    if (rest === '') return
    this.#partial.push(rest)
    this.#partialLength += rest.length
    if (this.#partialLength > MAX_LINE_BYTES) {
      this.#end(
        new InfrastructureError('PROTOCOL_ERROR', `${this.#name} wrote a line of over ${MAX_LINE_BYTES} bytes.`),
      )
    }
  }

  #guard(act: () => void): void {
    if (this.isOver) return
    try {
      act()
    } catch (error) {
      const reason = messageOf(error)
      const advice = 'its standard output is for messages alone, what it prints belongs on standard error'
      this.#end(new InfrastructureError('PROTOCOL_ERROR', `${this.#name}: ${reason} (${advice})`, { cause: error }))
    }
  }

  #receive(line: string): void {
    const message = parseWorkerMessage(parseLine(line))
    switch (message.type) {
      case 'hello':
        if (message.protocol !== PROTOCOL_VERSION) {
          throw new Error(`it speaks version ${message.protocol} of the protocol, not ${PROTOCOL_VERSION}`)
        }
        this.#send({
          type: 'welcome',
          protocol: PROTOCOL_VERSION,
          workerId: this.#options.workerId,
          session: STDIO_CONTEXT,
          heartbeatMs: 0,
          leases: [],
        })
        this.#send({ type: 'task', task: this.#options.task })
        this.#keepAwake(false)
        this.#markReady()
        break
      case 'outcomes': {
        const [outcome] = message.outcomes
        if (message.lease !== this.#lease || message.outcomes.length !== 1 || this.#block === undefined) {
          throw new Error(`it reported ${message.outcomes.length} blocks of lease ${message.lease}, which it has not`)
        }
        this.#block.resolve(outcome as Outcome)
        this.#block = undefined
        // It gives blocks back because it leaves: the next one is for another.
        if (outcome?.status === 'returned') this.#letGo()
        break
      }
      case 'setup-failed':
        this.#end(new InfrastructureError('WORKER_DIED', message.error.message))
        break
      case 'heartbeat':
        this.#send({ type: 'heartbeat' })
        break
      case 'goodbye':
        if (this.#block === undefined) this.#letGo()
        else this.#end(this.#died('it left within its block'))
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

  /** It is about to end by itself. */
  #letGo(): void {
    this.isOver = true
    this.#child.stdin?.end()
  }

  #end(error: Error): void {
    if (this.isOver) return
    this.isOver = true
    this.#child.kill('SIGKILL')
    this.#failReady(error)
    this.#block?.reject(error)
    this.#block = undefined
  }
}
