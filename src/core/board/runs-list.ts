import type { RunCondition } from '../events.ts'

// The data for the page of all runs: built on the machine with their folders, drawn in the browser.

/** One run of a folder. */
export interface ListedRun {
  /** The name of its folder, under which its page is. */
  readonly run: string
  /** What it does: its command, or the names of its tasks. */
  readonly title: string
  readonly condition: RunCondition
  /** ISO times of its creation and of its last activity. */
  readonly created: string
  readonly active: string
  /** How long its starts took together, as far as they are known. */
  readonly seconds?: number
  readonly from?: string
  readonly to?: string
  readonly parameters: Readonly<Record<string, unknown>>
  /** Blocks of all tasks together. */
  readonly total: number
  readonly completed: number
  readonly failed: number
  /** Counted inside `completed`. */
  readonly masked: number
}

/** The runs of a folder, the most recently active first. */
export interface RunsList {
  readonly home: string
  readonly runs: readonly ListedRun[]
  /** Runs whose record can't be read, and why. */
  readonly unreadable: readonly { readonly run: string; readonly message: string }[]
}
