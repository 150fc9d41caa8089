/**
 * A cache of an array's decoded chunks, since neighbouring blocks with context read the same ones. Drops the least recently
 * used first.
 */
export class ChunkCache {
  readonly budget: number
  readonly #chunks = new Map<string, { readonly bytes: Uint8Array; readonly version: string }>()
  #bytes = 0
  #spare: Uint8Array | undefined

  /** @param budget the most bytes to keep */
  constructor(budget: number) {
    this.budget = budget
  }

  has(index: readonly number[]): boolean {
    return this.#chunks.has(index.join())
  }

  /** The version of a cached chunk; undefined if it is not cached. */
  versionOf(index: readonly number[]): string | undefined {
    return this.#chunks.get(index.join())?.version
  }

  get(index: readonly number[]): Uint8Array | undefined {
    const key = index.join()
    const chunk = this.#chunks.get(key)
    if (chunk === undefined) return undefined
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    return chunk.bytes
  }

  /** Caches a chunk. @param version identifies what was decoded, if a chunk can change @default '' */
  set(index: readonly number[], bytes: Uint8Array, version = ''): void {
    const key = index.join()
    this.#bytes += bytes.length - (this.#chunks.get(key)?.bytes.length ?? 0)
    this.#chunks.delete(key)
    this.#chunks.set(key, { bytes, version })
    for (const [oldest, { bytes: dropped }] of this.#chunks) {
      if (this.#bytes <= this.budget) break
      this.#chunks.delete(oldest)
      this.#bytes -= dropped.length
      this.#spare = dropped
    }
  }

  /** The memory of the chunk that was dropped last, for a new one. @param length bytes @returns undefined without one of that size */
  spare(length: number): Uint8Array | undefined {
    const spare = this.#spare
    if (spare?.length !== length) return undefined
    this.#spare = undefined
    return spare
  }

  clear(): void {
    this.#chunks.clear()
    this.#bytes = 0
  }
}
