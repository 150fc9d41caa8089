import { closeSync, createReadStream, openSync, readSync, realpathSync } from 'node:fs'
import { dirname, join, resolve, sep } from 'node:path'
import { createGunzip } from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { HeaderSource } from './flat-layout.ts'
import { openingFailed } from './opening-failed.ts'

/** @throws ConfigError `NO_SUCH_FILE`; InfrastructureError `IO_ERROR` */
export function headerSource(path: string, allowExternal: boolean): HeaderSource {
  const compressed = isGzip(firstBytes(path, 2))
  return {
    path,
    compressed,
    start: async (byteLength) => (compressed ? firstUnpacked(path, byteLength) : firstBytes(path, byteLength)),
    beside: (name) => (allowExternal ? resolve(dirname(path), name) : inFolderOf(path, name)),
  }
}

const isGzip = (start: Buffer): boolean => start[0] === 0x1f && start[1] === 0x8b

function firstBytes(path: string, byteLength: number): Buffer {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    throw openingFailed(path, error)
  }
  try {
    const start = Buffer.alloc(byteLength)
    let done = 0
    for (let count = 1; count > 0 && done < byteLength; done += count) {
      count = readSync(file, start, done, byteLength - done, done)
    }
    return start.subarray(0, done)
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

/** A file that a header names must lie in the header's folder or below: a file from somebody else must not read others of this machine. */
function inFolderOf(header: string, name: string): string {
  const path = resolve(dirname(header), name)
  const folders = [realPath(dirname(resolve(header))), dirname(realPath(resolve(header)))]
  const real = realPath(path)
  if (folders.some((folder) => real.startsWith(folder.endsWith(sep) ? folder : folder + sep)))
    return join(dirname(header), name)
  throw new ConfigError(
    'UNSUPPORTED',
    `${header} has its voxels in "${name}", outside its own folder; if you trust the file, allow that with --allow-external.`,
  )
}

/** As far as the path exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(realPath(parent), path.slice(parent.length))
  }
}
