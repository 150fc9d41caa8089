import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import { errnoOf } from '../../core/system-errors.ts'

/**
 * Makes a folder with those that it needs around it. Not with the option `recursive` of node:fs: it reports every failure as ENOENT, even a
 * read-only file system, and never ends where a folder takes no others, such as /proc.
 * @param created gets the folders that were not there, outermost first
 * @throws what `mkdirSync` throws
 */
export function makeFolders(path: string, created: string[] = []): void {
  if (makeFolder(path, created)) return
  makeFolders(dirname(path), created)
  mkdirSync(path)
  created.push(path)
}

/** @returns false if a folder around it is missing */
function makeFolder(path: string, created: string[]): boolean {
  try {
    mkdirSync(path)
    created.push(path)
    return true
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'EEXIST') return true
    if (errno !== 'ENOENT' || dirname(path) === path) throw error
    return false
  }
}

/** The same for a folder that a user has named. @throws ConfigError `READ_ONLY` where there can't be one, and what `mkdirSync` throws */
export function makeNamedFolder(path: string): void {
  try {
    makeFolders(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new ConfigError('READ_ONLY', `${path}: no folder can be created there; choose another place.`, {
      cause: error,
    })
  }
}
