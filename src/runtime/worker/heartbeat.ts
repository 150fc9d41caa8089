import type { Clock } from '../../ports/clock.ts'

/** A connection counts as broken after this many heartbeats without an answer. */
const MAX_UNANSWERED = 3

/** Shows the coordinator that the worker is alive while it sends nothing else, and detects the loss of the coordinator. */
export class Heartbeat {
  readonly #clock: Clock
  #cancel = () => {}
  #hasSent = false
  #unanswered = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Starts again, for a new connection.
   * @param ms between two heartbeats; 0 for none
   * @param send sends a heartbeat
   * @param giveUp called when the other side has not answered for too long; without it, the worker goes on
   */
  start(ms: number, send: () => void, giveUp?: () => void): void {
    this.stop()
    if (ms === 0) return
    this.#cancel = this.#clock.after(ms, () => {
      if (giveUp !== undefined && this.#unanswered >= MAX_UNANSWERED) {
        giveUp()
        return
      }
      if (!this.#hasSent) {
        this.#unanswered++
        send()
      }
      this.#hasSent = false
      this.start(ms, send, giveUp)
    })
  }

  /** Something else was sent: no heartbeat is needed in this interval. */
  noteSent(): void {
    this.#hasSent = true
  }

  /** Something was received: the other side is alive. */
  noteReceived(): void {
    this.#unanswered = 0
  }

  stop(): void {
    this.#cancel()
  }
}
