import { dirname, isAbsolute, join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { addressBeside, isAddress } from '../../core/text/address.ts'
import type { ByteFile } from '../../ports/byte-file.ts'
import type { ExternalFiles } from '../files/external-files.ts'
import { withBytes } from '../ranges/absent-bytes.ts'
import { byteStream } from '../ranges/byte-stream.ts'
import type { HeaderSource } from './flat-layout.ts'

/**
 * What a header is read from.
 * @param open opens a file that the header names
 * @throws InfrastructureError `IO_ERROR`
 */
export async function headerSource(
  file: ByteFile,
  external: ExternalFiles,
  open: (path: string) => Promise<ByteFile>,
): Promise<HeaderSource> {
  const { path } = file
  const compressed = isGzip(await firstBytes(file, 2))
  return {
    path,
    compressed,
    start: async (byteLength) => (compressed ? firstUnpacked(file, byteLength) : firstBytes(file, byteLength)),
    beside: (name) => {
      const found = isAddress(path) ? addressBeside(path, name) : pathBeside(path, name)
      if (external.allows(found)) return found
      throw new ConfigError(
        'UNSUPPORTED',
        `${path} has its voxels in "${name}", outside its own folder; if you trust the file, allow that with --allow-external.`,
      )
    },
    async sizeOf(named) {
      if (named === path) return file.byteLength
      try {
        using found = await open(named)
        return found.byteLength
      } catch (error) {
        // It is reported when it is opened.
        if (error instanceof ConfigError) return 0
        throw error
      }
    },
  }
}

/** A file that another one names: absolute, or from its folder on. */
const pathBeside = (path: string, name: string): string => (isAbsolute(name) ? name : join(dirname(path), name))

const isGzip = (start: Buffer): boolean => start[0] === 0x1f && start[1] === 0x8b

async function firstBytes(file: ByteFile, byteLength: number): Promise<Buffer> {
  const start = Buffer.alloc(byteLength)
  try {
    return start.subarray(0, await withBytes(() => file.read(start, 0)))
  } catch (error) {
    if (error instanceof InfrastructureError) throw error
    throw new InfrastructureError('IO_ERROR', `Can't open ${file.path}: ${(error as Error).message}.`, { cause: error })
  }
}

/** The first bytes of what a gzip file contains. @throws InfrastructureError `CORRUPT_DATA`, `IO_ERROR` */
async function firstUnpacked(file: ByteFile, byteLength: number): Promise<Buffer> {
  const source = byteStream(file, 0)
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
    if (error instanceof InfrastructureError) throw error
    throw new InfrastructureError(
      'CORRUPT_DATA',
      `${file.path} is corrupt: ${(error as Error).message}; restore it from a copy.`,
      { cause: error },
    )
  } finally {
    source.destroy()
  }
  return Buffer.concat(parts).subarray(0, byteLength)
}
