import { ConfigError } from '../../src/core/errors.ts'
import type { ArrayStore } from '../../src/ports/array-store.ts'
import type { ArrayDescription, ChunkedArray, CreateArrayOptions } from '../../src/ports/chunked-array.ts'
import { memoryArray } from './memory-array.ts'

/** Arrays in memory, by path, and the created ones. */
export function memoryStore(arrays: Record<string, ChunkedArray>): ArrayStore & { readonly created: string[] } {
  const known = new Map(Object.entries(arrays))
  const created: string[] = []
  const describe = (path: string, options: CreateArrayOptions): ArrayDescription => ({
    chunkShape: options.shape.map((length) => Math.min(length, 4)),
    fillValue: 0,
    axes: [],
    attributes: {},
    ...options,
    path,
    format: 'memory',
    order: 'C',
    codecs: [],
  })
  return {
    created,
    canonicalPath: (path) => path,
    async open(path) {
      const array = known.get(path)
      if (array === undefined) throw new ConfigError('NO_SUCH_DATASET', `There is no ${path}.`)
      return array
    },
    planCreate: async (path, options) => describe(path, options),
    async create(path, options) {
      const { shape, dtype, chunkShape, axes, fillValue } = describe(path, options)
      const array = memoryArray({ shape, dtype, chunkShape, axes, fillValue, path })
      known.set(path, array)
      created.push(path)
      return array
    },
  }
}
