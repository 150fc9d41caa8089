import { InfrastructureError } from '../../core/errors.ts'
import { inheritedEnvironment } from '../../core/inherited-environment.ts'
import { type ProgramResult, runProgram } from './run-program.ts'

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]]

/** How to read the output of a batch system's programs. */
export interface BatchWords {
  /** For messages: `SLURM`. */
  readonly system: string
  /** Matches errors that mean that the system can't answer at the moment. */
  readonly temporary: RegExp
  /** Matches errors that are never temporary, whatever else they contain: a partition may be called `backup`. */
  readonly permanent?: RegExp
  /** Matches the message with which a submission waits for room in the system, instead of failing. */
  readonly full?: RegExp
  /** Matches useless prefixes of error lines. */
  readonly noise: RegExp
  /** Whether its programs may have a variable of this process. @default all */
  readonly passesOn?: (variable: string) => boolean
  /** Environment variables of its programs, in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** Calls a batch system's own programs, each with a time limit, until `end` stops all of them. */
export class BatchCalls {
  readonly system: string
  readonly timeoutMs: number
  readonly submitTimeoutMs: number
  readonly #words: BatchWords
  readonly #ending = new AbortController()

  /** @param timeoutMs time limit for one call; three times that for a submission */
  constructor(words: BatchWords, timeoutMs = 20_000) {
    this.system = words.system
    this.#words = words
    this.timeoutMs = timeoutMs
    this.submitTimeoutMs = 3 * timeoutMs
  }

  /** @throws InfrastructureError `QUEUE_UNAVAILABLE` if the program does not run to its end */
  run([program, ...args]: Command, timeoutMs = this.timeoutMs, cwd?: string): Promise<ProgramResult> {
    const { system, env, full } = this.#words
    const options = {
      timeoutMs,
      signal: this.#ending.signal,
      system,
      env: { ...this.environment(), ...env },
      giveUpOn: full,
      cwd,
    }
    return runProgram(program, args, options)
  }

  /** The variables of this process that the system's programs have. */
  environment(): Record<string, string | undefined> {
    const { passesOn = () => true } = this.#words
    return Object.fromEntries(Object.entries(inheritedEnvironment(process.env)).filter(([name]) => passesOn(name)))
  }

  /** Runs a program that ends jobs. Its errors about jobs that have already ended are ignored. */
  async runToEnd(command: Command, timeoutMs?: number): Promise<void> {
    const result = await this.run(command, timeoutMs)
    if (result.exitCode !== 0 && this.isTemporary(result)) throw this.unavailable(command, result)
  }

  /** A program's own explanation of its failure, in one line. */
  lastWords({ stdout, stderr, exitCode }: ProgramResult): string {
    return this.#wordsIn(stderr) || this.#wordsIn(stdout) || `exit code ${exitCode}`
  }

  #wordsIn(output: string): string {
    const lines = output.split('\n').map((line) => line.replace(this.#words.noise, '').trim())
    return lines
      .filter((line) => line !== '')
      .slice(-3)
      .join('; ')
      .slice(0, 1000)
  }

  /** Whether a program failed because the system temporarily can't answer. */
  isTemporary(result: ProgramResult): boolean {
    const said = this.lastWords(result)
    const { temporary, permanent, full } = this.#words
    return temporary.test(said) && !permanent?.test(said) && !full?.test(said)
  }

  unavailable([program]: Command, result: ProgramResult): InfrastructureError {
    return new InfrastructureError('QUEUE_UNAVAILABLE', `${program} did not answer: ${this.lastWords(result)}`)
  }

  get isEnded(): boolean {
    return this.#ending.signal.aborted
  }

  /** Ends all calls in progress: they would keep this process running. */
  end(): void {
    this.#ending.abort()
  }
}

/** The most ids in one call: the length of an argument list is limited. */
const IDS_PER_CALL = 500

/** Splits job ids into groups that fit into one call. */
export function* perCall(jobIds: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < jobIds.length; from += IDS_PER_CALL) yield jobIds.slice(from, from + IDS_PER_CALL)
}
