import { setTimeout as wait } from 'node:timers/promises'
import type { RunPicture } from '../../core/board/run-picture.ts'
import { messageOf } from '../../core/errors.ts'
import type { EventFeed, FeedClient, FeedPlace } from '../../ports/resource.ts'
import type { RunFollower } from '../run-folder/run-follower.ts'

/** How often what changed is told, while somebody looks: a browser draws for each, and where it has no graphics card that takes of the run's time. */
const TELL_MS = 1000
const MAX_CLIENTS = 64
/** How long the end waits for browsers that have not read all. */
const LAST_WORDS_MS = 1000

interface Client extends FeedClient {
  /** What it was sent last was not taken: it gets nothing until it has caught up. */
  isBehind: boolean
}

export interface DashboardFeedOptions {
  /** @see RunSummary.volumes */
  volumes(): number
  /** Until browsers have fetched what they still want of the volumes, or that takes too long. */
  untilQuiet(): Promise<void>
  readonly onError: (error: unknown) => void
}

/**
 * Tells browsers how a run goes: `states` of blocks that have changed, as runs in base64 behind the task's number, and a `summary`. Who
 * comes, or comes back, is told all. While nobody looks nothing is read and nothing kept.
 */
export class DashboardFeed implements EventFeed, AsyncDisposable {
  readonly kind = 'feed'
  readonly #follower: RunFollower
  readonly #options: DashboardFeedOptions
  readonly #clients = new Set<Client>()
  #timer: NodeJS.Timeout | undefined
  #isTelling: Promise<void> | undefined
  #told: RunPicture | undefined
  #generation = 0
  #isOver = false
  #complaint = ''

  constructor(follower: RunFollower, options: DashboardFeedOptions) {
    this.#follower = follower
    this.#options = options
  }

  join(client: FeedClient): FeedPlace | undefined {
    if (this.#clients.size >= MAX_CLIENTS || this.#isOver) return undefined
    const joined: Client = { ...client, isBehind: true }
    this.#clients.add(joined)
    const welcome = async () => {
      await this.#tell(true)
      joined.isBehind = false
      this.#tellAll(joined)
      this.#schedule()
    }
    welcome().catch((error: unknown) => this.#options.onError(messageOf(error)))
    return {
      resume: () => {
        joined.isBehind = false
        this.#tellAll(joined)
      },
      leave: () => {
        this.#clients.delete(joined)
      },
    }
  }

  /** Tells the last of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    if (this.#clients.size > 0) {
      await this.#tell(true)
      this.#send('summary', this.#summary())
      await this.#options.untilQuiet()
      this.#send('bye', '{}')
    }
    this.#isOver = true
    clearTimeout(this.#timer)
    const gone = Promise.all([...this.#clients].map((client) => client.end()))
    await Promise.race([gone, wait(LAST_WORDS_MS, undefined, { ref: false })])
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#clients.size === 0 || this.#isOver) return
    this.#timer = setTimeout(async () => {
      await this.#tell(false)
      this.#schedule()
    }, TELL_MS)
  }

  /** One at a time. */
  #tell(isQuiet: boolean): Promise<void> {
    this.#isTelling ??= this.#tellOnce(isQuiet).finally(() => {
      this.#isTelling = undefined
    })
    return this.#isTelling
  }

  async #tellOnce(isQuiet: boolean): Promise<void> {
    try {
      await this.#follower.catchUp()
      this.#complaint = ''
    } catch (error) {
      this.#complain(messageOf(error))
    }
    const { picture, document } = this.#follower
    if (picture !== this.#told || picture.board.generation !== this.#generation) {
      this.#told = picture
      this.#generation = picture.board.generation
      for (const client of this.#clients) this.#tellAll(client)
    }
    for (const task of document.tasks.keys()) {
      const runs = picture.board.collect(task)
      if (runs.length > 0) this.#send('states', statesText(task, runs))
    }
    if (!isQuiet) this.#send('summary', this.#summary())
  }

  #tellAll(client: Client): void {
    const { picture, document, version } = this.#follower
    this.#sendTo(client, 'begin', JSON.stringify({ version }))
    for (const task of document.tasks.keys()) {
      this.#sendTo(client, 'states', statesText(task, picture.board.snapshot(task)))
    }
    this.#sendTo(client, 'summary', this.#summary())
  }

  /** Not every second of what lasts. */
  #complain(message: string): void {
    if (message !== this.#complaint) this.#options.onError(message)
    this.#complaint = message
  }

  #summary(): string {
    return JSON.stringify(this.#follower.picture.summary(Date.now(), this.#options.volumes()))
  }

  #send(event: string, data: string): void {
    for (const client of this.#clients) this.#sendTo(client, event, data)
  }

  #sendTo(client: Client, event: string, data: string): void {
    if (!client.isBehind && !client.send(event, data)) client.isBehind = true
  }
}

const statesText = (task: number, runs: Uint8Array): string => `${task}:${Buffer.from(runs).toString('base64')}`
