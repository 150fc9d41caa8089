import { mkdirSync, rmdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError, InfrastructureError } from '../core/errors.ts'

/**
 * Makes a folder for what a run keeps, and those above it.
 * @returns those that it made, outermost first
 * @throws ConfigError `READ_ONLY`, InfrastructureError `DISK_FULL`: nothing is left behind then
 */
export function makeFolder(path: string): string[] {
  const made: string[] = []
  try {
    makeWithParents(path, made)
  } catch (error) {
    removeEmpty(made)
    throw folderError(path, error)
  }
  return made
}

/** Removes folders that nobody has put anything into. @param folders outermost first */
export function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder)
    } catch {
      return
    }
  }
}

// Not the `recursive` of node:fs: it calls every failure ENOENT, also a file system that is read-only.
function makeWithParents(path: string, made: string[]): void {
  try {
    mkdirSync(path)
    made.push(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeWithParents(dirname(path), made)
    makeWithParents(path, made)
  }
}

function folderError(path: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException
  const what = `The run's folder ${path} can't be made: `
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    const hint = 'the disk is full; free some space, or choose another place with --run-dir.'
    return new InfrastructureError('DISK_FULL', `${what}${hint}`, { cause: error })
  }
  const reason = code === 'EROFS' ? 'the file system is read-only' : message
  return new ConfigError('READ_ONLY', `${what}${reason}; choose another place with --run-dir.`, { cause: error })
}
