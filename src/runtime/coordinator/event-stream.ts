import type { RunEvent } from '../../core/events.ts'
import { hideQueries } from '../../core/text/shown-address.ts'

/**
 * If a reader falls behind, block events beyond this many unread ones are dropped; events of failures and workers never are.
 */
const MAX_UNREAD = 10_000

/** Events for any number of readers; a slow reader never delays the run. */
export class EventStream implements AsyncIterable<RunEvent> {
  readonly #listeners = new Set<(event: RunEvent) => void>()
  readonly #waiting = new Set<() => void>()
  #isClosed = false

  /** Ends the stream; readers still get their unread events. */
  close(): void {
    this.#isClosed = true
    for (const wake of this.#waiting) wake()
  }

  emit(event: RunEvent): void {
    const shown = event.type === 'warning' ? { ...event, message: hideQueries(event.message) } : event
    for (const listener of this.#listeners) listener(shown)
  }

  listen(listener: (event: RunEvent) => void): void {
    this.#listeners.add(listener)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RunEvent, void, undefined> {
    let unread: RunEvent[] = []
    let wake = () => {}
    const listener = (event: RunEvent) => {
      if (event.type === 'progress' && unread.at(-1)?.type === 'progress') unread.pop()
      const droppable = event.type.startsWith('blocks-')
      if (!droppable || unread.length < MAX_UNREAD) unread.push(event)
      wake()
    }
    this.#listeners.add(listener)
    try {
      for (;;) {
        const batch = unread
        unread = []
        for (const event of batch) {
          yield event
          if (event.type === 'run-finished') return
        }
        if (unread.length > 0) continue
        if (this.#isClosed) return
        await new Promise<void>((resolve) => {
          wake = resolve
          this.#waiting.add(wake)
        })
        this.#waiting.delete(wake)
      }
    } finally {
      this.#listeners.delete(listener)
    }
  }
}
