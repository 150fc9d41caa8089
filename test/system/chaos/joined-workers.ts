import { spawn } from 'node:child_process'
import { program } from '../../support/command-line.ts'
import { signalProcess } from './start.ts'

/** How a worker that was started by hand is started; undefined while there is nothing to join. */
export type WorkerCommand = () =>
  | { readonly file: string; readonly args: readonly string[]; readonly env: NodeJS.ProcessEnv }
  | undefined

/** How often it is looked whether a worker can be started, or started again. */
const LOOK_MS = 100

/** Workers that were started by hand. One that has ended is started again until all are told that the run is over. */
export class JoinedWorkers implements AsyncDisposable {
  readonly #command: WorkerCommand
  readonly #cwd: string
  readonly #running = new Map<number, { readonly exited: Promise<void> }>()
  readonly #count: number
  readonly #timer: NodeJS.Timeout
  #isOver = false

  constructor(count: number, cwd: string, command: WorkerCommand) {
    this.#count = count
    this.#cwd = cwd
    this.#command = command
    this.#timer = setInterval(() => this.#fill(), LOOK_MS)
  }

  get pids(): number[] {
    return [...this.#running.keys()]
  }

  /** Starts no further workers. @returns when those that are running have ended by themselves */
  async over(): Promise<void> {
    this.#isOver = true
    clearInterval(this.#timer)
    await Promise.all([...this.#running.values()].map(({ exited }) => exited))
  }

  /** Ends all workers; new ones are started. */
  replaceAll(): void {
    for (const pid of this.#running.keys()) signalProcess(pid, 'SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#running.keys()) {
      signalProcess(pid, 'SIGCONT')
      signalProcess(pid, 'SIGKILL')
    }
    await this.over()
  }

  #fill(): void {
    while (!this.#isOver && this.#running.size < this.#count) {
      const command = this.#command()
      if (command === undefined) return
      const { file, args, env } = command
      const child = spawn(file, args, { cwd: this.#cwd, env: { ...process.env, ...env }, stdio: 'ignore' })
      const { pid } = child
      if (pid === undefined) return
      const exited = new Promise<void>((resolve) =>
        child.on('close', () => {
          this.#running.delete(pid)
          resolve()
        }),
      )
      this.#running.set(pid, { exited })
    }
  }
}

/** `bellis worker` */
export const workerProgram = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => ({
  file: process.execPath,
  args: [program, 'worker', ...args],
  env,
})
