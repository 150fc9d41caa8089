import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isMissingFile, systemReason } from '../../core/system-errors.ts'

/** The error for a file that can't be opened. @param namedBy the header that names it */
export function openingFailed(path: string, error: unknown, namedBy?: string): Error {
  if (isMissingFile(error)) {
    const who = namedBy === undefined ? 'check the path' : `${namedBy} names it: put it back beside that file`
    return new ConfigError('NO_SUCH_FILE', `There is no file ${path}; ${who}.`, { cause: error })
  }
  return new InfrastructureError('IO_ERROR', `Can't open ${path}: ${systemReason(error)}.`, { cause: error })
}
