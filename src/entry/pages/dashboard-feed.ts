import { setTimeout as wait } from 'node:timers/promises'
import type { RunPicture } from '../../core/board/run-picture.ts'
import { encodeStates } from '../../core/board/state-runs.ts'
import { messageOf } from '../../core/errors.ts'
import type { EventFeed, FeedClient, FeedPlace } from '../../ports/resource.ts'
import type { RunFollower } from '../run-folder/history/run-follower.ts'

/** How often changes are sent. A browser draws each of them, and without a graphics card that takes processor time from the run. */
const SEND_MS = 1000
const MAX_CLIENTS = 64
/** How long disposing waits for browsers to read the rest. */
const END_MS = 1000

interface Client extends FeedClient {
  /** Its buffer is full, so it gets nothing until it has caught up. */
  isBehind: boolean
}

export interface DashboardFeedOptions {
  /** @see RunSummary.volumes */
  volumes(): number
  /** Resolves once browsers have stopped fetching chunks of the volumes, or after a time limit. */
  untilQuiet(): Promise<void>
  /** @see RunSummary.control */
  readonly control: boolean
  readonly onError: (error: unknown) => void
}

/**
 * Sends the progress of a run to browsers: changed block `states`, as base64 runs after the number of the task, and a `summary`. A browser
 * that connects or has caught up gets everything. While no browser is connected, nothing is read or kept.
 */
export class DashboardFeed implements EventFeed, AsyncDisposable {
  readonly kind = 'feed'
  readonly #follower: RunFollower
  readonly #options: DashboardFeedOptions
  readonly #clients = new Set<Client>()
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #sentPicture: RunPicture | undefined
  #generation = 0
  #isOver = false
  #lastError = ''

  constructor(follower: RunFollower, options: DashboardFeedOptions) {
    this.#follower = follower
    this.#options = options
  }

  join(client: FeedClient): FeedPlace | undefined {
    if (this.#clients.size >= MAX_CLIENTS || this.#isOver) return undefined
    const joined: Client = { ...client, isBehind: true }
    this.#clients.add(joined)
    const welcome = async () => {
      await this.#sendChanges(true)
      joined.isBehind = false
      this.#sendAllTo(joined)
      this.#schedule()
    }
    welcome().catch((error: unknown) => this.#options.onError(messageOf(error)))
    return {
      resume: () => {
        joined.isBehind = false
        this.#sendAllTo(joined)
      },
      leave: () => {
        this.#clients.delete(joined)
      },
    }
  }

  /** Sends the final state. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    if (this.#clients.size > 0) {
      await this.#sendChanges(true)
      this.#send('summary', this.#summary())
      await this.#options.untilQuiet()
      this.#send('bye', '{}')
    }
    this.#isOver = true
    clearTimeout(this.#timer)
    const ended = Promise.all([...this.#clients].map((client) => client.end()))
    await Promise.race([ended, wait(END_MS, undefined, { ref: false })])
  }

  #schedule(): void {
    clearTimeout(this.#timer)
    if (this.#clients.size === 0 || this.#isOver) return
    this.#timer = setTimeout(async () => {
      await this.#sendChanges(false)
      this.#schedule()
    }, SEND_MS)
  }

  /** Joins a call that is still in progress. @param isQuiet whether to leave out the summary */
  #sendChanges(isQuiet: boolean): Promise<void> {
    this.#sending ??= this.#sendOnce(isQuiet).finally(() => {
      this.#sending = undefined
    })
    return this.#sending
  }

  async #sendOnce(isQuiet: boolean): Promise<void> {
    try {
      await this.#follower.catchUp()
      this.#lastError = ''
    } catch (error) {
      this.#report(messageOf(error))
    }
    const { picture, document } = this.#follower
    if (picture !== this.#sentPicture || picture.board.generation !== this.#generation) {
      this.#sentPicture = picture
      this.#generation = picture.board.generation
      for (const client of this.#clients) this.#sendAllTo(client)
    }
    for (const task of document.tasks.keys()) {
      const runs = picture.board.collect(task)
      if (runs.length > 0) this.#send('states', statesText(task, runs))
    }
    if (!isQuiet) this.#send('summary', this.#summary())
  }

  #sendAllTo(client: Client): void {
    const { picture, document, version } = this.#follower
    this.#sendTo(client, 'begin', JSON.stringify({ version }))
    for (const task of document.tasks.keys()) {
      this.#sendTo(client, 'states', statesText(task, encodeStates(picture.board.codes(task) ?? new Uint8Array())))
    }
    this.#sendTo(client, 'summary', this.#summary())
  }

  /** Reports an error that persists only once. */
  #report(message: string): void {
    if (message !== this.#lastError) this.#options.onError(message)
    this.#lastError = message
  }

  #summary(): string {
    const { control, volumes } = this.#options
    const summary = this.#follower.picture.summary(this.#follower.now(), volumes())
    return JSON.stringify(control ? { ...summary, control } : summary)
  }

  #send(event: string, data: string): void {
    for (const client of this.#clients) this.#sendTo(client, event, data)
  }

  #sendTo(client: Client, event: string, data: string): void {
    if (!client.isBehind && !client.send(event, data)) client.isBehind = true
  }
}

const statesText = (task: number, runs: Uint8Array): string => `${task}:${Buffer.from(runs).toString('base64')}`
