import type { Outcome } from '../../core/protocol/messages.ts'
import type { Program, ProgramBlock } from './program.ts'

export interface ProgramPoolOptions {
  /** Starts a program, which need not be ready. */
  start(): Program
  /** A program is over. */
  onOver(program: Program): void
}

/** Programs of one task. Each does one block after the other; there are several if workers of this process share the task. */
export class ProgramPool {
  readonly #options: ProgramPoolOptions
  readonly #all = new Set<Program>()
  readonly #idle = new Set<Program>()
  /** By the index of the block before them. */
  readonly #following = new Map<number, () => Iterable<ProgramBlock>>()

  constructor(options: ProgramPoolOptions) {
    this.#options = options
  }

  /** Starts a program for the first block. @throws InfrastructureError `WORKER_DIED`, `PROTOCOL_ERROR` */
  async warm(): Promise<void> {
    this.#idle.add(await this.#start())
  }

  /** Whether a program was given a block together with one before. */
  has(index: number): boolean {
    return this.#holder(index) !== undefined
  }

  /** What a program may be given together with a block that it will get next. */
  offer(index: number, following: () => Iterable<ProgramBlock>): void {
    this.#following.set(index, following)
  }

  /** @param onProgress called when the program says that the block advances @throws InfrastructureError as `Program.doBlock` */
  async doBlock(block: ProgramBlock, signal: AbortSignal, onProgress?: () => void): Promise<Outcome> {
    const program = await this.#take(block.index)
    program.onProgress = onProgress
    const following = this.#following.get(block.index)
    this.#following.delete(block.index)
    try {
      return await program.doBlock(block, signal, following)
    } finally {
      program.onProgress = undefined
      if (program.isOver && !program.has()) this.#forget(program)
      else this.#idle.add(program)
    }
  }

  /** Ends all programs. */
  end(): void {
    for (const program of this.#all) program.end()
  }

  #holder(index: number): Program | undefined {
    for (const program of this.#all) if (program.has(index)) return program
    return undefined
  }

  async #take(index: number): Promise<Program> {
    // Some may have ended while they were idle.
    for (const program of this.#idle) if (program.isOver && !program.has()) this.#forget(program)
    const program = this.#holder(index) ?? [...this.#idle].find((each) => !each.has())
    if (program === undefined) return await this.#start()
    this.#idle.delete(program)
    return program
  }

  async #start(): Promise<Program> {
    const program = this.#options.start()
    this.#all.add(program)
    await program.ready
    return program
  }

  #forget(program: Program): void {
    this.#idle.delete(program)
    this.#all.delete(program)
    this.#options.onOver(program)
  }
}
