import { ConfigError } from '../../core/errors.ts'
import { isAddress } from '../../core/text/address.ts'
import type { ArrayFormat, ChunkedArray, OpenArrayOptions } from '../../ports/chunked-array.ts'

/**
 * A format whose containers have one array each, for reading.
 * @param options.localOnly what its containers are called, if they are read from disks alone: `images` @default they are read from anywhere
 */
export function singleArrayFormat(
  name: string,
  open: (path: string, options: OpenArrayOptions) => Promise<ChunkedArray>,
  { localOnly }: { readonly localOnly?: string } = {},
): ArrayFormat {
  return {
    name,
    async open(container, inner, options = {}) {
      if ((options.mode ?? 'r') !== 'r') throw notWritten(container)
      if (localOnly !== undefined && isAddress(container)) {
        throw new ConfigError(
          'UNSUPPORTED',
          `${container} is an address, and ${localOnly} can only be read from disks; download the file first.`,
        )
      }
      if (inner !== '') {
        throw new ConfigError(
          'NO_SUCH_DATASET',
          `${withoutQuery(container)} contains a single array, and nothing named "${inner}"; leave the name out.`,
        )
      }
      return open(container, options)
    },
    async create(container) {
      throw notWritten(container)
    },
    async planCreate(container) {
      throw notWritten(container)
    },
    async list() {
      return []
    },
  }
}

const withoutQuery = (path: string): string => (isAddress(path) ? path.replace(/\?.*$/, '') : path)

const notWritten = (path: string): ConfigError =>
  new ConfigError(
    'UNSUPPORTED',
    `Bellis writes Zarr, N5 and precomputed; "${path}" can only be read. Use a path such as out.zarr/name.`,
  )
