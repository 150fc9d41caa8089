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

/** The most connections that may be open at a page or at metrics without having shown its token: browsers open six. */
const MAX_STRANGERS = 256

/** How many connections a page may have in all: a browser with 40 of its windows open has no more. */
export const mostVisitors = (): number => eighthOfFiles(8) + mostStrangers()

/** How many connections whoever reaches the port of a page, or of metrics, may have open: they share the open files with the run. */
export const mostStrangers = (): number => eighthOfFiles(1)

const eighthOfFiles = (least: number): number =>
  Math.min(MAX_STRANGERS, Math.max(least, Math.floor(openFileLimit() / 8)))
