import { applyStates } from '../core/board/state-runs.ts'
import type { BlockDetails, RunDescription, RunSummary } from '../core/board/summary.ts'

/** Whether the page hears from bellis: `ended` after its last word, `lost` without one. */
export type Link = 'open' | 'lost' | 'ended'

export interface RunListener {
  /** Blocks of a task have another state: `begin` to `end`, not included. */
  states(task: number, begin: number, end: number, code: number): void
  summary(summary: RunSummary): void
  link(link: Link): void
}

const RETRY_MS = 1500
/** Where bellis has said that it ends. */
const RARE_MS = 5000

/** What the page knows of a run, as bellis tells it. */
export class RunModel {
  readonly description: RunDescription
  /** The states of all blocks, by task; empty for one that has too many. */
  readonly codes: readonly Uint8Array[]
  summary: RunSummary | undefined
  link: Link = 'open'
  readonly #listener: RunListener
  #source: EventSource | undefined

  constructor(description: RunDescription, listener: RunListener) {
    this.description = description
    this.codes = description.tasks.map(({ blocks, hasMap }) => new Uint8Array(hasMap ? blocks : 0))
    this.#listener = listener
    this.#connect()
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
    source.addEventListener('begin', () => this.#setLink('open'))
    source.addEventListener('states', ({ data }: MessageEvent<string>) => this.#takeStates(data))
    source.addEventListener('summary', ({ data }: MessageEvent<string>) => {
      this.summary = JSON.parse(data) as RunSummary
      this.#listener.summary(this.summary)
    })
    source.addEventListener('bye', () => this.#setLink('ended'))
    source.addEventListener('error', () => {
      // Also when another start has another address: it may come back at this one.
      source.close()
      if (this.#source !== source) return
      if (this.link === 'open') this.#setLink('lost')
      setTimeout(() => this.#connect(), this.link === 'ended' ? RARE_MS : RETRY_MS)
    })
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
