import type { Clock } from '../../src/ports/clock.ts'

interface Event {
  readonly at: number
  readonly order: number
  call: (() => void) | undefined
}

/** Time that passes when the next event happens: a heap of events, the same ones in the same order each time. */
export class SimulatedTime implements Clock {
  #now = 0
  #order = 0
  readonly #heap: Event[] = []
  /** How many calls the clock owes: those that were neither made nor cancelled. */
  owed = 0
  mostOwed = 0

  now = (): number => this.#now
  date = (): number => this.#now

  /** For the program under test; the simulation uses `plan`. */
  after = (ms: number, call: () => void): (() => void) => {
    this.mostOwed = Math.max(this.mostOwed, ++this.owed)
    const event = this.plan(ms, () => {
      this.owed--
      call()
    })
    return () => {
      if (event.call !== undefined) this.owed--
      event.call = undefined
    }
  }

  plan(ms: number, call: () => void): { call: (() => void) | undefined } {
    const event: Event = { at: this.#now + ms, order: this.#order++, call }
    this.#push(event)
    return event
  }

  /** Goes to the next event. @returns false if there is none */
  step(): boolean {
    for (;;) {
      const event = this.#pop()
      if (event === undefined) return false
      const { call } = event
      if (call === undefined) continue
      event.call = undefined
      this.#now = event.at
      call()
      return true
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent] as Event, event)) break
      heap[at] = heap[parent] as Event
      at = parent
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      if (isBefore(last, heap[child] as Event)) break
      heap[at] = heap[child] as Event
      at = child
    }
    heap[at] = last
    return first
  }
}

const isBefore = (one: Event, other: Event): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)
