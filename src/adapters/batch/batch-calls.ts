import { InfrastructureError } from '../../core/errors.ts'
import { type ProgramResult, runProgram } from './run-program.ts'

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]]

/** How the programs of a batch system speak. */
export interface BatchWords {
  /** For messages: `SLURM`. */
  readonly system: string
  /** What it says when it can't answer just now. */
  readonly temporary: RegExp
  /** What lines of an error begin with for no one's use. */
  readonly noise: RegExp
  /** What its programs find in their environment beside that of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** The calls of a batch system's own programs, each bounded in time, until all of them are ended. */
export class BatchCalls {
  readonly system: string
  readonly timeoutMs: number
  readonly submitTimeoutMs: number
  readonly #words: BatchWords
  readonly #ending = new AbortController()

  /** @param timeoutMs of one call; a submission may take three times that */
  constructor(words: BatchWords, timeoutMs = 20_000) {
    this.system = words.system
    this.#words = words
    this.timeoutMs = timeoutMs
    this.submitTimeoutMs = 3 * timeoutMs
  }

  /** @throws InfrastructureError `QUEUE_UNAVAILABLE` where it does not come to its end */
  run([program, ...args]: Command, timeoutMs = this.timeoutMs): Promise<ProgramResult> {
    const { system, env } = this.#words
    const options = { timeoutMs, signal: this.#ending.signal, system, env: { ...process.env, ...env } }
    return runProgram(program, args, options)
  }

  /** Runs what ends jobs. One that has ended already can't be ended, and is as it should be. */
  async runToEnd(command: Command, timeoutMs?: number): Promise<void> {
    const result = await this.run(command, timeoutMs)
    if (result.exitCode !== 0 && this.isTemporary(result)) throw this.unavailable(command, result)
  }

  /** What a program said of its failure, in one line. */
  lastWords({ stdout, stderr, exitCode }: ProgramResult): string {
    const lines = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.replace(this.#words.noise, '').trim())
    const text = lines
      .filter((line) => line !== '')
      .slice(-3)
      .join('; ')
      .slice(0, 1000)
    return text === '' ? `exit code ${exitCode}` : text
  }

  /** Whether a program failed since the system can't answer just now. */
  isTemporary(result: ProgramResult): boolean {
    return this.#words.temporary.test(this.lastWords(result))
  }

  unavailable([program]: Command, result: ProgramResult): InfrastructureError {
    return new InfrastructureError('QUEUE_UNAVAILABLE', `${program} did not answer: ${this.lastWords(result)}`)
  }

  get isEnded(): boolean {
    return this.#ending.signal.aborted
  }

  /** Ends all calls that are under way: they would keep this process. */
  end(): void {
    this.#ending.abort()
  }
}

/** Ids in one call: an argument list has an end. */
const IDS_PER_CALL = 500

/** Job ids, as many at once as go into one call. */
export function* perCall(jobIds: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < jobIds.length; from += IDS_PER_CALL) yield jobIds.slice(from, from + IDS_PER_CALL)
}
