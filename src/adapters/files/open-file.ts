import fs from 'node:fs'
import { ConfigError } from '../../core/errors.ts'
import { openingFailed } from './opening-failed.ts'

// Without the flag, opening a pipe waits for its writer. Windows does not have it.
const READ = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0)

/**
 * Opens a file for reading.
 * @param namedBy the header that names it
 * @returns its descriptor
 * @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED` for a folder, a pipe or a device; InfrastructureError `IO_ERROR`
 */
export function openFile(path: string, namedBy?: string): number {
  let file: number
  try {
    file = fs.openSync(path, READ)
  } catch (error) {
    throw openingFailed(path, error, namedBy)
  }
  const found = fs.fstatSync(file)
  if (found.isFile()) return file
  fs.closeSync(file)
  const what = found.isDirectory() ? 'a folder' : 'a pipe or a device'
  throw new ConfigError('UNSUPPORTED', `${path} is ${what}, not a file; check the path.`)
}
