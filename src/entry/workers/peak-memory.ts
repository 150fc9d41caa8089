import { readFileSync } from 'node:fs'

/**
 * The peak memory of this process, in bytes. On Linux it does not come from `getrusage`, which starts with the memory of the
 * parent process.
 */
export function ownPeakMemory(): number {
  return linuxPeakMemory() ?? process.resourceUsage().maxRSS * 1024
}

function linuxPeakMemory(): number | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? []
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  } catch {
    return undefined
  }
}

/** The memory of the programs that do blocks for the worker of this process or thread; it counts as the worker's. */
const programs = new Map<object, number>()
let most = 0

/** @param bytes the peak memory of the program so far */
export function noteProgramMemory(program: object, bytes: number): void {
  programs.set(program, bytes)
  const together = [...programs.values()].reduce((sum, peak) => sum + peak, 0)
  most = Math.max(most, together)
}

export function forgetProgramMemory(program: object): void {
  programs.delete(program)
}

/** The peak memory of all programs of this worker together, as far as they report it, in bytes. */
export const programsPeakMemory = (): number => most
