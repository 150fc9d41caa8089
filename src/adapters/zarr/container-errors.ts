import { ConfigError } from '../../core/errors.ts'
import { serviceAddress } from '../objects/service-address.ts'

// The errors that all formats have whose arrays are files in a container. Paths are as users write them.

/** What to write to instead of an http address. */
function writableInstead(path: string): string {
  const address = serviceAddress(path)
  return address === undefined ? 'a folder, or to s3://, gs:// or az://' : address
}

export const addressOpenedForWriting = (path: string): ConfigError =>
  new ConfigError(
    'READ_ONLY',
    `${path} can't be opened for writing: http addresses are read-only; write to ${writableInstead(path)}.`,
  )

export const addressWritten = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${path} can't be written: http addresses are read-only; write to ${writableInstead(path)}.`,
  )

export const alreadyExists = (path: string): ConfigError =>
  new ConfigError(
    'DATASET_EXISTS',
    `${path} already exists; resume the run that writes it, overwrite it (--overwrite), or choose another name.`,
  )

/** @param what in which it is stored: a codec, an encoding */
export const onlyRead = (path: string, what: string, instead: 'array' | 'volume' = 'array'): ConfigError =>
  new ConfigError(
    'UNSUPPORTED_CODEC',
    `${path} is stored with ${what}, which Bellis reads but does not write; write to another ${instead}.`,
  )

export const irregular = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `${path} has chunks of different shapes, which Bellis reads but does not write; write to another array.`,
  )

/** @param namedBy the group whose attributes have the path @default the user has written it */
export function leadsOut(path: string, namedBy?: string): ConfigError {
  const start = namedBy === undefined ? `"${path}":` : `The attributes of ${namedBy} name "${path}":`
  return new ConfigError(
    'INVALID_CONFIG',
    `${start} ".." is not followed in a container, even with --allow-external; open that array by its own path.`,
  )
}
