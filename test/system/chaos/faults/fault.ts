import type { Site } from '../site.ts'
import type { Ending, Start } from '../start.ts'

interface Common {
  readonly kind: string
  /** Whether it can happen there. @default true */
  readonly suits?: (site: Site) => boolean
}

/** Something bad that happens while the command is running. */
export interface FaultDuring extends Common {
  readonly when: 'during'
  /** @returns when it is over; whether it has happened: the command may have ended before */
  strike(site: Site, start: Start): Promise<boolean>
  /** Whether a start may end like this because of it. A start may always end with 0 and a complete result. */
  readonly mayEnd?: (ending: Ending) => boolean
}

/** Something bad that happens after a start has ended without success, before the next one. */
export interface FaultBetween extends Common {
  readonly when: 'between'
  /** @returns whether it has happened */
  strike(site: Site): Promise<boolean>
}

export type Fault = FaultDuring | FaultBetween
