import { readFileSync } from 'node:fs'

/** What POSIX systems allow a process at least, in practice. */
const USUAL_LIMIT = 1024

/** How many files and sockets this process may have open. Known on Linux; elsewhere a number that is common. */
export function openFileLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return soft === undefined ? USUAL_LIMIT : Number(soft)
  } catch {
    return USUAL_LIMIT
  }
}
