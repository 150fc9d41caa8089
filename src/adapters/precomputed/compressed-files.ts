import zlib from 'node:zlib'
import { InfrastructureError } from '../../core/errors.ts'
import type { Store } from '../zarr/store.ts'

/** Chunks that cloud-volume has compressed as a whole: in a folder, their names say so. */
const SUFFIXES: readonly (readonly [string, (bytes: Uint8Array, options: zlib.ZlibOptions) => Buffer])[] = [
  ['.gz', zlib.gunzipSync],
  ['.br', zlib.brotliDecompressSync],
]

/** The names of a chunk's file may end like this. */
export const COMPRESSED_SUFFIX = /\.(gz|br)$/

/** A folder in which a file may be stored compressed, under its name with a suffix; one without takes precedence. */
export function withCompressedFiles(store: Store): Store {
  // A server sends such files as what they were before.
  if (!store.writable) return store
  const decompress = (key: string, bytes: Uint8Array, decode: (typeof SUFFIXES)[number][1], atMost: number) => {
    try {
      return decode(bytes, { maxOutputLength: atMost })
    } catch (error) {
      throw new InfrastructureError(
        'CORRUPT_DATA',
        `${store.where(key)} is corrupt: ${(error as Error).message}; restore it from a copy.`,
        { cause: error },
      )
    }
  }
  const { lend } = store
  return {
    ...store,
    async get(key, options = {}) {
      const plain = await store.get(key, options)
      if (plain !== undefined) return plain
      for (const [suffix, decode] of SUFFIXES) {
        const { into: _, ...others } = options
        const bytes = await store.get(key + suffix, others)
        if (bytes !== undefined) return decompress(key + suffix, bytes, decode, options.atMost ?? bytes.length * 1000)
      }
      return undefined
    },
    ...(lend === undefined
      ? {}
      : {
          async lend<T>(
            key: string,
            options: { readonly atMost?: number; readonly known?: string | undefined },
            use: (bytes: Uint8Array, version: string) => T | Promise<T>,
          ) {
            const plain = await lend(key, options, use)
            if (plain !== undefined) return plain
            for (const [suffix, decode] of SUFFIXES) {
              const found = await lend(key + suffix, options, (bytes, version) =>
                use(decompress(key + suffix, bytes, decode, options.atMost ?? bytes.length * 1000), version),
              )
              if (found !== undefined) return found
            }
            return undefined
          },
        }),
    async remove(key) {
      for (const [suffix] of SUFFIXES) await store.remove(key + suffix)
      await store.remove(key)
    },
  }
}
