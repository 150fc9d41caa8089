import { readFileSync } from 'node:fs'

/**
 * Describes how a process ended, for users.
 * @param kills how many processes the system has killed meanwhile because it ran out of memory
 */
export function describeEnd(code: number | null, signal: NodeJS.Signals | null, kills = 0): string {
  if (signal === null) return `exit code ${code}`
  if (!isOutOfMemory(signal, kills)) return `killed by ${signal}`
  return 'out of memory: the system killed it because it ran out of memory; use fewer workers or smaller blocks, or let the task keep less in memory'
}

/** Whether the system has probably ended a process because it ran out of memory, or the group of processes that it belongs to. */
export const isOutOfMemory = (signal: NodeJS.Signals | null, kills: number): boolean =>
  signal === 'SIGKILL' && kills > 0

/** How many processes this machine has killed since its start because it ran out of memory; 0 if that is not known. */
export function oomKills(): number {
  try {
    return oomKillsIn(readFileSync('/proc/vmstat', 'utf8'))
  } catch {
    return 0
  }
}

/** @param text of /proc/vmstat */
export const oomKillsIn = (text: string): number => Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
