import { freemem, totalmem } from 'node:os'

/** Memory that this process may use, in bytes. A container or a batch job may have less than its machine. */
export interface MachineMemory {
  readonly total: number
  /** How much of it is not in use. */
  readonly free: number
}

export function machineMemory(): MachineMemory {
  const machine = totalmem()
  // 0 if there is no limit; Node also reports limits above the machine's memory.
  const limit = process.constrainedMemory()
  if (limit === 0 || limit >= machine) return { total: machine, free: freemem() }
  return { total: limit, free: Math.min(limit, process.availableMemory()) }
}
