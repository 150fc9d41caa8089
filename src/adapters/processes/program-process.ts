import { type ChildProcess, spawn } from 'node:child_process'
import { ConfigError } from '../../core/errors.ts'
import { inheritedEnvironment } from '../../core/inherited-environment.ts'
import { LineSplitter } from '../../core/protocol/lines.ts'
import { MAX_LINE_BYTES, STDIO_CONTEXT } from '../../core/protocol/messages.ts'
import { programEnvironment } from '../files/left-programs.ts'
import { endingWithParent } from './end-with-parent.ts'
import { noteGroup } from './program-groups.ts'

/** How much of a program's standard error is kept, to be shown when it ends unexpectedly. */
const LAST_OUTPUT_CHARACTERS = 2000

/** Whether a process and those that it starts can be killed together. */
const HAS_GROUPS = process.platform !== 'win32'

/** What a {@link ProgramProcess} reports. */
export interface ProgramListener {
  /** A complete line of its standard output. */
  takeLine(line: string): void
  /** Its standard output can't be read any further. */
  fail(error: unknown): void
  /** It could not be started, or has ended and all its output was read. May be called twice. */
  ended(reason: string): void
}

/**
 * The process of a program that exchanges lines on its standard input and output. Its standard error is passed on. Where the system can do
 * that, the program is killed when this process ends: it must not write when others do its block.
 */
export class ProgramProcess {
  readonly #child: ChildProcess
  readonly #forget: () => void
  #lastOutput = ''

  /** @throws ConfigError `INVALID_TASK` when `command` is no program with its arguments */
  constructor(
    command: readonly string[],
    env: Readonly<Record<string, string>> | undefined,
    listener: ProgramListener,
  ) {
    const [file, ...args] = command
    if (file === undefined || command.some((part) => typeof part !== 'string')) {
      throw new ConfigError(
        'INVALID_TASK',
        `The command of a task is ${JSON.stringify(command)}; expected a list of texts: a program and its arguments.`,
      )
    }
    const { BELLIS_WORKER: _, ...inherited } = programEnvironment(inheritedEnvironment(process.env))
    const environment = { ...inherited, ...env, BELLIS_CONTEXT: STDIO_CONTEXT }
    const [starter, ...words] = endingWithParent([file, ...args], env?.PATH ?? inherited.PATH)
    this.#child = spawn(starter, words, { stdio: 'pipe', env: environment, detached: HAS_GROUPS })
    this.#forget = HAS_GROUPS && this.#child.pid !== undefined ? noteGroup(this.#child.pid) : () => {}
    this.#listen(listener)
  }

  #listen(listener: ProgramListener): void {
    const { stdin, stdout, stderr } = this.#child
    const lines = new LineSplitter(MAX_LINE_BYTES)
    // A broken pipe means that the program has ended: 'close' reports that.
    stdin?.on('error', () => {})
    stdout?.on('data', (chunk: Buffer) => {
      try {
        for (const line of lines.take(chunk)) listener.takeLine(Buffer.from(line).toString('utf8'))
      } catch (error) {
        listener.fail(error)
      }
    })
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      process.stderr.write(text)
      this.#lastOutput = (this.#lastOutput + text).slice(-LAST_OUTPUT_CHARACTERS)
    })
    this.#child.on('error', (error) => listener.ended(error.message))
    this.#child.on('exit', this.#forget)
    this.#child.on('close', (code, signal) =>
      listener.ended(signal === null ? `exit code ${code}` : `killed by ${signal}`),
    )
  }

  /** The end of its standard error. */
  get lastOutput(): string {
    return this.#lastOutput.trim()
  }

  send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  /** While set, this process does not exit before the program does. */
  set keepsAwake(isBusy: boolean) {
    const { stdin, stdout, stderr } = this.#child
    const handles = [this.#child, stdin, stdout, stderr] as readonly { ref?: () => void; unref?: () => void }[]
    for (const handle of handles) isBusy ? handle?.ref?.() : handle?.unref?.()
  }

  /** Closes its standard input. */
  endInput(): void {
    this.#child.stdin?.end()
  }

  /** Kills it with all that it has started, such as the program of a shell: none of them may write any more. */
  kill(): void {
    const { pid } = this.#child
    try {
      if (HAS_GROUPS && pid !== undefined) process.kill(-pid, 'SIGKILL')
    } catch {
      // All of them have ended.
    }
    this.#child.kill('SIGKILL')
  }
}
