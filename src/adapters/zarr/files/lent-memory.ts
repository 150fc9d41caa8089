/** Buffers that are kept when nobody uses them: as many as parts of a block that are read at once. */
const MAX_SPARE = 8

/** Memory for bytes that are used at once and then forgotten, such as encoded chunks: taking new memory for each would burden the garbage collector. */
export class LentMemory {
  readonly #spare: Uint8Array[] = []

  /** @param work `take` lends it memory, once, of undefined content, until it has ended */
  async lend<T>(work: (take: (size: number) => Uint8Array) => Promise<T>): Promise<T> {
    let lent: Uint8Array | undefined
    const take = (size: number): Uint8Array => {
      lent = this.#spare.pop()
      // Chunks of about the same size follow each other, so a little more lasts for all of them.
      if (lent === undefined || lent.length < size) lent = new Uint8Array(size + (size >> 3))
      return lent.subarray(0, size)
    }
    try {
      return await work(take)
    } finally {
      if (lent !== undefined && this.#spare.length < MAX_SPARE) this.#spare.push(lent)
    }
  }
}
