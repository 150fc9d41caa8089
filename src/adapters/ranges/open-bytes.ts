import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { isAddress } from '../../core/text/address.ts'
import type { ByteFile } from '../../ports/byte-file.ts'
import { localBytes } from '../files/local-bytes.ts'
import type { OpenFileOptions } from '../files/open-file.ts'
import { isObjectAddress } from '../objects/object-address.ts'
import { httpRange } from './http-range.ts'
import { objectRange } from './object-range.ts'
import type { FoundRange, RangeSource } from './range-source.ts'
import { BLOCK_BYTES, RemoteBytes } from './remote-bytes.ts'

/** How requests are made. */
export interface RangeOptions {
  /** Retries of a request after a lost connection or an error of the server that may pass. @default 4, in object stores 8 */
  readonly retries?: number
  /** Wait before the first retry; doubled for each further one. @default 200 */
  readonly retryDelayMs?: number
  /** Longest time in which nothing is received. @default 60000 */
  readonly timeoutMs?: number
}

/** Files that are open in this thread, by their addresses. */
const open = new Map<string, RemoteBytes>()

/**
 * Opens a file for reads of ranges: on a disk, at an http(s) address, or in an object store. Its version is that of this moment: once the
 * file was replaced, reads fail.
 * @throws ConfigError `NO_SUCH_FILE`, `UNSUPPORTED`, `INVALID_CONFIG`; InfrastructureError `IO_ERROR`, `UNAUTHORIZED`
 */
export async function openBytes(
  path: string,
  { namedBy, check, ...options }: RangeOptions & OpenFileOptions = {},
): Promise<ByteFile> {
  if (!isAddress(path)) return localBytes(path, { namedBy, check })
  const source = isObjectAddress(path) ? objectRange(path, options) : httpRange(path, options)
  const found = await source.get({ start: 0, length: BLOCK_BYTES })
  if (typeof found === 'string') throw missing(source.where, namedBy)
  const known = open.get(path)
  if (known !== undefined && isSame(known, found)) return known.retain()
  return openNew(path, source, found)
}

function openNew(path: string, source: RangeSource, found: FoundRange): ByteFile {
  const { total } = found
  if (found.isWhole) return wholeFile(source.where, found.body)
  if (total === undefined) {
    throw new InfrastructureError(
      'IO_ERROR',
      `Can't read ${source.where}: the server does not say how long the file is (Content-Range); download the file first.`,
    )
  }
  const file = new RemoteBytes(source, { ...found, total }, (closed) => {
    if (open.get(path) === closed) open.delete(path)
  })
  open.set(path, file)
  return file
}

/** A server that names no version can't say that it is the same. */
const isSame = ({ version, byteLength }: RemoteBytes, found: FoundRange): boolean =>
  version !== undefined && version.value === found.version?.value && byteLength === found.total && !found.isWhole

let wholes = 0

/** A small file that a server without ranges has sent as a whole. */
function wholeFile(path: string, body: Uint8Array): ByteFile {
  return {
    path,
    byteLength: body.length,
    id: `whole ${++wholes}`,
    isRemote: true,
    read(into, position) {
      const part = body.subarray(position, position + into.length)
      into.set(part)
      return part.length
    },
    load: async () => ({ [Symbol.dispose]() {} }),
    [Symbol.dispose]() {},
  }
}

function missing(where: string, namedBy: string | undefined): ConfigError {
  const who =
    namedBy === undefined
      ? 'check the address, and whether it has expired'
      : `${namedBy} names it: put it back beside it`
  return new ConfigError('NO_SUCH_FILE', `There is no file ${where}, or it may not be read; ${who}.`)
}
