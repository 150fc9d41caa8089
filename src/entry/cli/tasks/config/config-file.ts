import { readNamedText } from '../../../../adapters/files/open-file.ts'
import { BlockwiseError, ConfigError, messageOf } from '../../../../core/errors.ts'
import { systemFailure, systemReason } from '../../../../core/system-errors.ts'

/** Reads a JSON file with one object in it. @throws ConfigError `NO_SUCH_FILE`, `INVALID_CONFIG` */
export function readConfigFile(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readNamedText(path)
  } catch (error) {
    if (error instanceof BlockwiseError) throw error
    throw new ConfigError(
      'NO_SUCH_FILE',
      `${path} can't be read: ${systemFailure(error)?.reason ?? systemReason(error)}; check the path.`,
      { cause: error },
    )
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new ConfigError('INVALID_CONFIG', `${path} is not JSON: ${messageOf(error)}`, { cause: error })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new ConfigError('INVALID_CONFIG', `${path}: expected one JSON object with the fields of a configuration.`)
}
