import { join } from 'node:path'
import type { TaskCounts } from '../../core/events.ts'
import type { EventStream } from '../../runtime/coordinator/event-stream.ts'
import { readJson, writeWhole } from './run-files.ts'

/** How a run goes, as it says itself in its folder, at most once a second. */
export interface LiveState {
  readonly time: string
  /** Since this start of the run. */
  readonly seconds: number
  readonly busyWorkers: number
  readonly tasks: readonly TaskCounts[]
  /** Once it has ended: whether every block is completed. */
  readonly ok?: boolean
}

const FILE = 'live.json'
const EVERY_MS = 1000

/** Writes the state of a run that is on into its folder. What can't be written is left out: nothing depends on it. */
export function keepLiveState(folder: string, events: EventStream): void {
  let last = 0
  events.listen((event) => {
    if (event.type !== 'progress' && event.type !== 'run-finished') return
    const now = performance.now()
    if (event.type === 'progress' && now - last < EVERY_MS && last > 0) return
    last = now
    const { seconds, tasks } = event
    const end = event.type === 'progress' ? { busyWorkers: event.busyWorkers } : { busyWorkers: 0, ok: event.ok }
    const state: LiveState = { time: new Date().toISOString(), seconds, tasks, ...end }
    try {
      writeWhole(join(folder, FILE), JSON.stringify(state))
    } catch {
      // A full disk shows where it matters.
    }
  })
}

export const readLiveState = (folder: string): LiveState | undefined => readJson(join(folder, FILE))
