/** How much memory the chunks of several caches may take together. */
export class ChunkMemory {
  /** The most bytes to keep. */
  readonly budget: number
  /** Weak references, so that an array that nobody uses any more takes its chunks with it. */
  #caches: WeakRef<ChunkCache>[] = []
  #uses = 0
  #spare: Uint8Array | undefined

  constructor(budget: number) {
    this.budget = budget
  }

  add(cache: ChunkCache): void {
    this.#caches.push(new WeakRef(cache))
  }

  /** The number of a use: the later, the higher. */
  nextUse(): number {
    return ++this.#uses
  }

  /** Drops the least recently used chunks of all caches until the others fit. */
  fit(): void {
    const caches = this.#caches.flatMap((reference) => reference.deref() ?? [])
    if (caches.length < this.#caches.length) this.#caches = caches.map((cache) => new WeakRef(cache))
    let bytes = caches.reduce((sum, cache) => sum + cache.bytes, 0)
    const useful = Math.max(...caches.map((cache) => (cache.bytes > 0 ? cache.useful : 0)))
    const most = Math.min(this.budget, useful)
    while (bytes > most) {
      const oldest = caches.reduce((found, cache) => (cache.oldestUse < found.oldestUse ? cache : found))
      const dropped = oldest.dropOldest()
      if (dropped === undefined) return
      bytes -= dropped.length
      this.#spare = dropped
    }
  }

  /** The memory of the chunk that was dropped last, for a new one. @returns undefined without one of that length */
  takeSpare(length: number): Uint8Array | undefined {
    const spare = this.#spare
    if (spare?.length !== length) return undefined
    this.#spare = undefined
    return spare
  }
}

interface KeptChunk {
  readonly bytes: Uint8Array
  readonly version: string
  readonly use: number
}

/**
 * A cache of an array's decoded chunks, since neighbouring blocks with context read the same ones. Drops the least recently
 * used first.
 */
export class ChunkCache {
  /** More bytes than this are of no use. */
  readonly useful: number
  readonly #memory: ChunkMemory
  /** The least recently used first. */
  readonly #chunks = new Map<string, KeptChunk>()
  #bytes = 0

  /**
   * @param memory the most bytes to keep, of this cache alone or of several together
   * @param useful of several together, as many bytes as the largest of these are kept
   */
  constructor(memory: number | ChunkMemory, useful = Number.POSITIVE_INFINITY) {
    this.useful = useful
    this.#memory = typeof memory === 'number' ? new ChunkMemory(memory) : memory
    this.#memory.add(this)
  }

  get budget(): number {
    return this.#memory.budget
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The number of the use of the chunk that was not used for the longest time; infinite without a chunk. */
  get oldestUse(): number {
    const [oldest] = this.#chunks.values()
    return oldest?.use ?? Number.POSITIVE_INFINITY
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
    this.#chunks.set(key, { ...chunk, use: this.#memory.nextUse() })
    return chunk.bytes
  }

  /** Caches a chunk. @param version identifies what was decoded, if a chunk can change @default '' */
  set(index: readonly number[], bytes: Uint8Array, version = ''): void {
    const key = index.join()
    this.#bytes += bytes.length - (this.#chunks.get(key)?.bytes.length ?? 0)
    this.#chunks.delete(key)
    this.#chunks.set(key, { bytes, version, use: this.#memory.nextUse() })
    this.#memory.fit()
  }

  /** @returns what was dropped; undefined if there is no chunk */
  dropOldest(): Uint8Array | undefined {
    const [oldest] = this.#chunks
    if (oldest === undefined) return undefined
    const [key, { bytes }] = oldest
    this.#chunks.delete(key)
    this.#bytes -= bytes.length
    return bytes
  }

  /** The memory of the chunk that was dropped last, for a new one. @param length bytes @returns undefined without one of that size */
  spare(length: number): Uint8Array | undefined {
    return this.#memory.takeSpare(length)
  }

  clear(): void {
    this.#chunks.clear()
    this.#bytes = 0
  }
}
