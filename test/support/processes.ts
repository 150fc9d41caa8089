import { execFileSync, spawnSync } from 'node:child_process'
import { readlinkSync, realpathSync } from 'node:fs'

interface Row {
  readonly pid: number
  readonly parent: number
  readonly group: number
}

/** The processes of this machine, except zombies. */
function processTable(): Row[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length === 4 && !fields[3]?.startsWith('Z'))
    .map(([pid, parent, group]) => ({ pid: Number(pid), parent: Number(parent), group: Number(group) }))
}

/** The running children of a process. */
export const childrenOf = (parent: number): number[] =>
  processTable().flatMap((row) => (row.parent === parent ? [row.pid] : []))

/** The running processes of a process group. */
export const groupOf = (leader: number): number[] =>
  processTable().flatMap((row) => (row.group === leader ? [row.pid] : []))

/** Those of these processes that are still running. */
export function stillRunning(pids: readonly number[]): number[] {
  const running = new Set(processTable().map((row) => row.pid))
  return pids.filter((pid) => running.has(pid))
}

/** The processes that work in a folder; none where the system has no `/proc`. */
export const processesIn = (folder: string): number[] => {
  const real = realpathSync(folder)
  return processTable().flatMap(({ pid }) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === real ? [pid] : []
    } catch {
      return []
    }
  })
}

/** The CPU time of a process in whole seconds; 0 if it has ended. */
export function cpuSecondsOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' })
  // [[days-]hours:]minutes:seconds
  return stdout
    .trim()
    .split(/[-:]/)
    .reduce((seconds, part) => seconds * 60 + Math.floor(Number(part)), 0)
}

/** Waits until `look` returns anything but false and undefined. @returns that value */
export async function until<T>(what: string, look: () => T | false | undefined, deadlineMs = 120_000): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const seen = look()
    if (seen !== false && seen !== undefined) return seen
    if (performance.now() > deadline) throw new Error(`waited ${deadlineMs / 1000} s in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}
