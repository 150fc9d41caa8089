import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { pathWithCommand, program } from '../../support/command-line.ts'
import { childrenOf } from '../../support/processes.ts'

/** How a command ended. */
export interface Ending {
  /** The exit code, or the signal that ended it. */
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** The workers that it has not started itself. @default none */
  readonly joined?: () => readonly number[]
}

/** How large a process is. */
export interface Size {
  readonly memoryBytes: number
  readonly handles: number
}

/** One start of a command, in a process group of its own. */
export class Start {
  readonly pid: number
  readonly ended: Promise<Ending>
  readonly output = { stdout: '', stderr: '' }
  readonly #events: EventReader
  readonly #joined: () => readonly number[]
  #isOver = false
  #largest: Size = NOTHING
  #largestWorker: Size = NOTHING

  /** @param eventFile where the command writes its events */
  constructor(args: readonly string[], eventFile: string, { cwd, env = {}, joined = () => [] }: StartOptions) {
    this.#joined = joined
    this.#events = new EventReader(eventFile)
    const child = spawn(process.execPath, [program, ...args], {
      cwd,
      env: { ...process.env, PATH: pathWithCommand(), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    if (child.pid === undefined) throw new Error(`${args.join(' ')} could not be started`)
    this.pid = child.pid
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => (this.output[name] += text))
    const watch = setInterval(() => this.#grow(), 500)
    this.ended = new Promise((resolve) =>
      child.on('close', (code, signal) => {
        clearInterval(watch)
        this.#isOver = true
        resolve({ code: code ?? signal ?? 0, ...this.output })
      }),
    )
  }

  /** The largest that it was seen, in memory and in handles. */
  get largest(): Size {
    return this.#largest
  }

  /** The largest that one of its workers was seen, in memory and in handles. */
  get largestWorker(): Size {
    return this.#largestWorker
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The number of blocks that it has reported as done so far. */
  blocksDone(): number {
    return this.#events.read().done
  }

  /** The number of blocks that it still has to do; undefined before it has begun. */
  blocksLeft(): number | undefined {
    const { planned, done } = this.#events.read()
    return planned === undefined ? undefined : planned - done
  }

  /** The processes that it has started and that are running. */
  workers(): number[] {
    return childrenOf(this.pid)
  }

  /** Sends a signal to it, or with `all` to its workers, too. */
  signal(signal: NodeJS.Signals, who: 'coordinator' | 'all' = 'coordinator'): void {
    if (!this.#isOver || who === 'all') signalProcess(who === 'all' ? -this.pid : this.pid, signal)
  }

  /** How large it is now; undefined if it has ended, or if the system does not say. */
  measure(): Size | undefined {
    return sizeOf(this.pid)
  }

  #grow(): void {
    this.#largest = largest([this.#largest, this.measure() ?? NOTHING])
    const workers = [...childrenNow(this.pid), ...this.#joined()]
    this.#largestWorker = largest([this.#largestWorker, ...workers.map((pid) => sizeOf(pid) ?? NOTHING)])
  }
}

const NOTHING: Size = { memoryBytes: 0, handles: 0 }

/** @returns the most of each figure */
export const largest = (sizes: readonly Size[]): Size => ({
  memoryBytes: Math.max(0, ...sizes.map(({ memoryBytes }) => memoryBytes)),
  handles: Math.max(0, ...sizes.map(({ handles }) => handles)),
})

/** How large a process is; undefined if it has ended, or if the system does not say. */
export function sizeOf(pid: number | 'self'): Size | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0)
    return { memoryBytes: 1024 * kilobytes, handles: readdirSync(`/proc/${pid}/fd`).length }
  } catch {
    return undefined
  }
}

/** Cheaper than a table of all processes. */
function childrenNow(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return children.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Sends a signal to a process, or to a process group if the number is negative. Nothing happens if it has ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** The part of the events that is needed here. */
type BlockEvent =
  | { readonly type: 'run-started'; readonly tasks: readonly { readonly total: number; readonly completed: number }[] }
  | { readonly type: 'blocks-done'; readonly indices: readonly number[] }

/** Reads a file of events that is growing. */
class EventReader {
  readonly #file: string
  #position = 0
  #rest = ''
  #planned: number | undefined
  #done = 0

  constructor(file: string) {
    this.#file = file
  }

  read(): { readonly planned: number | undefined; readonly done: number } {
    const lines = (this.#rest + this.#readNew()).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!/"(run-started|blocks-done)"/.test(line)) continue
      const event = JSON.parse(line) as BlockEvent
      if (event.type === 'blocks-done') this.#done += event.indices.length
      else this.#planned = event.tasks.reduce((sum, { total, completed }) => sum + total - completed, 0)
    }
    return { planned: this.#planned, done: this.#done }
  }

  #readNew(): string {
    let file: number
    try {
      file = openSync(this.#file, 'r')
    } catch {
      return ''
    }
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#position))
      this.#position += readSync(file, bytes, 0, bytes.length, this.#position)
      return bytes.toString('latin1')
    } finally {
      closeSync(file)
    }
  }
}
