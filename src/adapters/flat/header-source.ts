import { closeSync, createReadStream } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { ExternalFiles } from '../files/external-files.ts'
import { openFile } from '../files/open-file.ts'
import { openingFailed } from '../files/opening-failed.ts'
import { readFullySync } from '../files/read-fully.ts'
import type { HeaderSource } from './flat-layout.ts'

/** @throws ConfigError `NO_SUCH_FILE`; InfrastructureError `IO_ERROR` */
export function headerSource(path: string, allowExternal: boolean): HeaderSource {
  const external = new ExternalFiles(allowExternal ? undefined : path)
  const compressed = isGzip(firstBytes(path, 2))
  return {
    path,
    compressed,
    start: async (byteLength) => (compressed ? firstUnpacked(path, byteLength) : firstBytes(path, byteLength)),
    beside: (name) => {
      const file = isAbsolute(name) ? name : join(dirname(path), name)
      if (external.allows(file)) return file
      throw new ConfigError(
        'UNSUPPORTED',
        `${path} has its voxels in "${name}", outside its own folder; if you trust the file, allow that with --allow-external.`,
      )
    },
  }
}

const isGzip = (start: Buffer): boolean => start[0] === 0x1f && start[1] === 0x8b

function firstBytes(path: string, byteLength: number): Buffer {
  const file = openFile(path)
  try {
    const start = Buffer.alloc(byteLength)
    return start.subarray(0, readFullySync(file, start, 0))
  } catch (error) {
    throw openingFailed(path, error)
  } finally {
    closeSync(file)
  }
}

/** The first bytes of what a gzip file contains. @throws InfrastructureError `CORRUPT_DATA` */
async function firstUnpacked(path: string, byteLength: number): Promise<Buffer> {
  const source = createReadStream(path)
  const unpacked = source.pipe(createGunzip())
  // The stream of the file does not pass on its errors.
  source.on('error', (error) => unpacked.destroy(error))
  const parts: Buffer[] = []
  let length = 0
  try {
    for await (const part of unpacked) {
      parts.push(part)
      length += (part as Buffer).length
      if (length >= byteLength) break
    }
  } catch (error) {
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${path} is corrupt: ${(error as Error).message}; restore it from a copy.`,
      { cause: error },
    )
  } finally {
    source.destroy()
  }
  return Buffer.concat(parts).subarray(0, byteLength)
}
