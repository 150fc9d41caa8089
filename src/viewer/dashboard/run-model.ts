import { applyStates } from '../../core/board/state-runs.ts'
import type { AttemptDetails, BlockDetails, RunDescription, RunSummary } from '../../core/board/summary.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'

/**
 * The connection of the page to bellis. `ended`: bellis announced its end. `lost`: it did not. `full`: too many pages are connected already.
 * `replaced`: the address of the page is no longer that of the run.
 */
export type Connection = 'open' | 'lost' | 'ended' | 'full' | 'replaced'

export interface RunListener {
  /** The state of a task's blocks from `start` to `end` (exclusive) has changed. */
  states(task: number, start: number, end: number, code: number): void
  summary(summary: RunSummary): void
  connection(connection: Connection): void
}

const RETRY_MS = 1500
/** Interval of attempts after bellis has announced its end. */
const RARE_MS = 5000
/** bellis sends something every second, so after this long the connection is dead. */
const SILENCE_MS = 15_000

/** The state of a run, updated by the events that bellis sends. */
export class RunModel {
  readonly description: RunDescription
  /** The states of all blocks or cells, by task. */
  readonly codes: readonly Uint8Array[]
  summary: RunSummary | undefined
  connection: Connection = 'open'
  readonly #listener: RunListener
  #source: EventSource | undefined
  /** Whether this connection has delivered a complete state. */
  #isComplete = false
  #heardAt = 0

  constructor(description: RunDescription, listener: RunListener) {
    this.description = description
    this.codes = description.tasks.map(({ map }) => new Uint8Array(createBlockGrid(map.grid).blockCount))
    this.#listener = listener
    this.#connect()
    setInterval(() => this.#watch(), RARE_MS)
  }

  async details(task: number, index: number): Promise<BlockDetails> {
    try {
      const response = await fetch(`blocks/${task}/${index}.json`, { cache: 'no-store' })
      return response.ok ? ((await response.json()) as BlockDetails) : {}
    } catch {
      return {}
    }
  }

  /** The failed attempts at a block; none if they are not recorded. */
  async attempts(task: number, index: number): Promise<readonly AttemptDetails[]> {
    try {
      const response = await fetch(`attempts/${task}/${index}.json`, { cache: 'no-store' })
      return response.ok ? ((await response.json()) as AttemptDetails[]) : []
    } catch {
      return []
    }
  }

  #connect(): void {
    const source = new EventSource('events')
    this.#source = source
    this.#isComplete = false
    const on = (event: string, take: (data: string) => void) =>
      source.addEventListener(event, ({ data }: MessageEvent<string>) => {
        this.#heardAt = performance.now()
        take(data)
      })
    on('begin', (data) => {
      const { version } = JSON.parse(data) as { readonly version: string }
      if (version !== this.description.version) {
        // Another start has replaced the tasks: everything on this page is outdated.
        source.close()
        location.reload()
        return
      }
      this.#setConnection('open')
    })
    on('states', (data) => this.#takeStates(data))
    on('summary', (data) => {
      this.#isComplete = true
      this.summary = JSON.parse(data) as RunSummary
      this.#listener.summary(this.summary)
    })
    on('bye', () => this.#setConnection('ended'))
    source.addEventListener('error', () => void this.#retry(source))
  }

  /** A connection can be dead without being closed, for example through a tunnel or after the machine slept. */
  #watch(): void {
    const source = this.#source
    if (source === undefined || this.connection !== 'open' || !this.#isComplete) return
    if (performance.now() - this.#heardAt > SILENCE_MS) void this.#retry(source)
  }

  /** Keeps trying even if the address seems to be replaced: another program may have answered. */
  async #retry(source: EventSource): Promise<void> {
    source.close()
    if (this.#source !== source) return
    this.#source = undefined
    const connection = await this.#findReason()
    const isEnded = this.connection === 'ended' && connection === 'lost'
    if (connection !== this.connection && !isEnded) this.#setConnection(connection)
    setTimeout(() => this.#connect(), isEnded ? RARE_MS : RETRY_MS)
  }

  /** Why no events arrive. */
  async #findReason(): Promise<Connection> {
    try {
      const { ok, status } = await fetch('run.json', { cache: 'no-store', signal: AbortSignal.timeout(SILENCE_MS) })
      if (status === 403) return 'replaced'
      if (!ok) return 'lost'
      // A connection that was only interrupted is restored immediately.
      return this.#isComplete ? this.connection : 'full'
    } catch {
      return 'lost'
    }
  }

  #setConnection(connection: Connection): void {
    this.connection = connection
    this.#listener.connection(connection)
  }

  #takeStates(data: string): void {
    const colon = data.indexOf(':')
    const task = Number(data.slice(0, colon))
    const codes = this.codes[task]
    if (codes === undefined) return
    const text = atob(data.slice(colon + 1))
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0))
    applyStates(codes, bytes, (start, end, code) => this.#listener.states(task, start, end, code))
  }
}
