import { applyStates } from '../../core/board/state-runs.ts'
import type { BlockDetails, RunDescription, RunSummary } from '../../core/board/summary.ts'
import { createBlockGrid } from '../../core/grid/block-grid.ts'

/**
 * Whether the page hears from bellis: `ended` after its last word, `lost` without one; `full`: as many pages as there may be are told
 * already; `replaced`: the page's address is no longer the run's.
 */
export type Link = 'open' | 'lost' | 'ended' | 'full' | 'replaced'

export interface RunListener {
  /** Blocks of a task have another state: `begin` to `end`, not included. */
  states(task: number, begin: number, end: number, code: number): void
  summary(summary: RunSummary): void
  link(link: Link): void
}

const RETRY_MS = 1500
/** Where bellis has said that it ends. */
const RARE_MS = 5000
/** No word for so long, of somebody who speaks every second: nobody is there. */
const SILENCE_MS = 15_000

/** What the page knows of a run, as bellis tells it. */
export class RunModel {
  readonly description: RunDescription
  /** The states of all blocks, or cells of them, by task. */
  readonly codes: readonly Uint8Array[]
  summary: RunSummary | undefined
  link: Link = 'open'
  readonly #listener: RunListener
  #source: EventSource | undefined
  /** Whether this connection has told all once. */
  #isIn = false
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

  #connect(): void {
    const source = new EventSource('events')
    this.#source = source
    this.#isIn = false
    const on = (event: string, take: (data: string) => void) =>
      source.addEventListener(event, ({ data }: MessageEvent<string>) => {
        this.#heardAt = performance.now()
        take(data)
      })
    on('begin', (data) => {
      const { version } = JSON.parse(data) as { readonly version: string }
      if (version !== this.description.version) {
        // Another start has replaced the tasks: nothing here is of them.
        source.close()
        location.reload()
        return
      }
      this.#setLink('open')
    })
    on('states', (data) => this.#takeStates(data))
    on('summary', (data) => {
      this.#isIn = true
      this.summary = JSON.parse(data) as RunSummary
      this.#listener.summary(this.summary)
    })
    on('bye', () => this.#setLink('ended'))
    source.addEventListener('error', () => void this.#retry(source))
  }

  /** A connection can be dead without an end: that of a tunnel, or of a machine that slept. Bellis says something every second. */
  #watch(): void {
    const source = this.#source
    if (source === undefined || this.link !== 'open' || !this.#isIn) return
    if (performance.now() - this.#heardAt > SILENCE_MS) void this.#retry(source)
  }

  /** Also when another start has another address: it may come back at this one. */
  async #retry(source: EventSource): Promise<void> {
    source.close()
    if (this.#source !== source) return
    this.#source = undefined
    const link = await this.#whyNot()
    if (link !== this.link && !(this.link === 'ended' && link === 'lost')) this.#setLink(link)
    setTimeout(() => this.#connect(), link === 'lost' && this.link === 'ended' ? RARE_MS : RETRY_MS)
  }

  /** Why events do not come, or no longer. */
  async #whyNot(): Promise<Link> {
    try {
      const { ok, status } = await fetch('run.json', { cache: 'no-store', signal: AbortSignal.timeout(SILENCE_MS) })
      if (status === 403) return 'replaced'
      if (!ok) return 'lost'
      // One that has only broken off comes again at once.
      return this.#isIn ? this.link : 'full'
    } catch {
      return 'lost'
    }
  }

  #setLink(link: Link): void {
    this.link = link
    this.#listener.link(link)
  }

  #takeStates(data: string): void {
    const colon = data.indexOf(':')
    const task = Number(data.slice(0, colon))
    const codes = this.codes[task]
    if (codes === undefined) return
    const text = atob(data.slice(colon + 1))
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0))
    applyStates(codes, bytes, (begin, end, code) => this.#listener.states(task, begin, end, code))
  }
}
