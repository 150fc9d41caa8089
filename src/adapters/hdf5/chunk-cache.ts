/**
 * Decoded chunks, the least recently used go first. Neighbouring blocks with context meet the same chunks, and HDF5's own
 * cache holds 1 MB and only until the end of a call, since h5wasm opens the dataset anew for each.
 */
export class ChunkCache {
  readonly budget: number
  readonly #chunks = new Map<string, Uint8Array>()
  #bytes = 0

  /** @param budget the most bytes to hold */
  constructor(budget: number) {
    this.budget = budget
  }

  has(index: readonly number[]): boolean {
    return this.#chunks.has(index.join())
  }

  get(index: readonly number[]): Uint8Array | undefined {
    const key = index.join()
    const chunk = this.#chunks.get(key)
    if (chunk === undefined) return undefined
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    return chunk
  }

  set(index: readonly number[], chunk: Uint8Array): void {
    const key = index.join()
    this.#bytes += chunk.length - (this.#chunks.get(key)?.length ?? 0)
    this.#chunks.delete(key)
    this.#chunks.set(key, chunk)
    for (const [oldest, { length }] of this.#chunks) {
      if (this.#bytes <= this.budget) break
      this.#chunks.delete(oldest)
      this.#bytes -= length
    }
  }

  clear(): void {
    this.#chunks.clear()
    this.#bytes = 0
  }
}
