import { hostname } from 'node:os'
import { bootId } from '../../../adapters/files/process-identity.ts'

/** The steady clock of a machine, which goes on when somebody sets the time. */
export interface SteadyTime {
  /** Names the machine, and on Linux its start, since the clock begins again there. */
  readonly machine: string
  /** Milliseconds; all processes of the machine count from the same moment. */
  readonly ms: number
}

export const steadyTime = (): SteadyTime => ({ machine: thisMachine(), ms: Number(process.hrtime.bigint()) / 1e6 })

/**
 * The present time of a run, as its history counts it: from the date of its start, by a steady clock.
 * @param start date of its start, milliseconds since 1970
 * @param steady the time of its start by the clock of its machine; histories of version 0.1.0 have none
 * @returns a function that returns milliseconds since 1970. On another machine, the date there counts, but only once.
 */
export function timeOfRun(start: number, steady: SteadyTime | undefined): () => number {
  const { machine, ms } = steadyTime()
  const elapsed = steady?.machine === machine ? ms - steady.ms : Math.max(0, Date.now() - start)
  return () => start + elapsed + steadyTime().ms - ms
}

const thisMachine = (): string => bootId() ?? hostname()
