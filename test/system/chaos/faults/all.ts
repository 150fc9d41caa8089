import type { Fault } from './fault.ts'
import { SIGNALS } from './signals.ts'

export const FAULTS: readonly Fault[] = [...SIGNALS]
