import { closeSync, fstatSync } from 'node:fs'
import { InfrastructureError } from '../../core/errors.ts'
import type { ByteFile } from '../../ports/byte-file.ts'
import { type OpenFileOptions, openFile } from './open-file.ts'
import { readFullySync } from './read-fully.ts'

const NOTHING: Disposable = { [Symbol.dispose]() {} }

/**
 * A file on a disk.
 * @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED` for a folder, a pipe or a device; InfrastructureError `IO_ERROR`; what a check throws
 */
export function localBytes(path: string, options: OpenFileOptions = {}): ByteFile {
  const file = openFile(path, options)
  const { size, dev, ino } = fstatSync(file, { bigint: true })
  let isOpen = true
  return {
    path,
    byteLength: Number(size),
    // The inode distinguishes a file that was replaced from the one still open under the same name.
    id: `${dev}/${ino}/${path}`,
    isRemote: false,
    read(into, position) {
      if (!isOpen) throw new InfrastructureError('IO_ERROR', `"${path}" was closed; open it again to read.`)
      return readFullySync(file, into, position)
    },
    load: async () => NOTHING,
    [Symbol.dispose]() {
      if (isOpen) closeSync(file)
      isOpen = false
    },
  }
}
