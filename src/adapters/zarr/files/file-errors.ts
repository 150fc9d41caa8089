import { BlockwiseError, ConfigError, InfrastructureError } from '../../../core/errors.ts'
import { errnoOf, systemFailure, systemReason, wrongPath } from '../../../core/system-errors.ts'

/** Turns a system error into a Bellis error that names the failed action and the path. */
export function ioError(action: 'read' | 'list' | 'write' | 'remove', path: string, error: unknown): Error {
  if (error instanceof BlockwiseError) return error
  const failure = systemFailure(error)
  const options = { cause: error }
  if (failure === undefined) {
    const remedy = action === 'write' ? wrongPath(error)?.remedy : undefined
    const what = `Can't ${action} ${path}: ${systemReason(error)}${remedy === undefined ? '' : `; ${remedy}`}`
    return new InfrastructureError('IO_ERROR', `${what}.`, options)
  }
  const { code, reason, remedy } = failure
  const what = `Can't ${action} ${path}: ${reason}; ${remedy}`
  if (code === 'DISK_FULL') return new InfrastructureError(code, `${what}, then resume.`, options)
  const isChange = action === 'write' || action === 'remove'
  // Only a failed write lets the user choose another output.
  return isChange || errnoOf(error) === 'EROFS'
    ? new ConfigError(code, `${what}.`, options)
    : new InfrastructureError('IO_ERROR', `${what}.`, options)
}
