import { readFileSync } from 'node:fs'

/**
 * How a process ended, for people.
 * @param kills how many processes the system has killed meanwhile because its memory ran out
 */
export function describeEnd(code: number | null, signal: NodeJS.Signals | null, kills = 0): string {
  if (signal === null) return `exit code ${code}`
  if (signal !== 'SIGKILL' || kills <= 0) return `killed by ${signal}`
  return 'out of memory: the system killed it, as it had no memory left; fewer workers, smaller blocks, or a task that keeps less, need less'
}

/** How many processes this machine has killed since it was started because its memory ran out; 0 where it does not tell. */
export function oomKills(): number {
  try {
    return oomKillsIn(readFileSync('/proc/vmstat', 'utf8'))
  } catch {
    return 0
  }
}

/** @param text of /proc/vmstat */
export const oomKillsIn = (text: string): number => Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0)
