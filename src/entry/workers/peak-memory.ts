import { readFileSync } from 'node:fs'

/**
 * The most memory that this process has had, bytes. Not what `getrusage` says, where that can be helped: on Linux that begins
 * with what the process had that started this one.
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

/** The memory of the programs that do blocks for a worker: it is the worker's, too. There is one worker in a process, or thread. */
const programs = new Map<object, number>()
let most = 0

/** @param bytes the most that a program has had so far */
export function noteProgramMemory(program: object, bytes: number): void {
  programs.set(program, bytes)
  const together = [...programs.values()].reduce((sum, peak) => sum + peak, 0)
  most = Math.max(most, together)
}

export function forgetProgramMemory(program: object): void {
  programs.delete(program)
}

/** The most that the programs of this worker have had together, as far as they say it, bytes. */
export const programsPeakMemory = (): number => most
