import { ConfigError } from '../../core/errors.ts'

// The errors that all formats have whose arrays are files in a container. Paths are as users write them.

export const addressOpenedForWriting = (path: string): ConfigError =>
  new ConfigError('READ_ONLY', `${path} can't be opened for writing: http addresses are read-only.`)

export const addressWritten = (path: string): ConfigError =>
  new ConfigError('UNSUPPORTED', `${path} can't be written: http addresses are read-only; write to a folder.`)

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
