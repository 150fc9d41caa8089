/** A piece of a file that is at hand. */
export interface Block {
  readonly bytes: Uint8Array
  /** How many are reading it now: it stays at hand as long as there are any. */
  pins: number
  /** Called when it is given up. */
  readonly drop: () => void
}

/** Bounds the blocks that are kept; the ones that were used last stay. */
export class BlockCache {
  readonly #most: number
  readonly #blocks = new Set<Block>()
  #bytes = 0

  constructor(mostBytes: number) {
    this.#most = mostBytes
  }

  /** Bytes that are at hand. */
  get bytes(): number {
    return this.#bytes
  }

  add(block: Block): void {
    this.#blocks.add(block)
    this.#bytes += block.bytes.length
    this.#trim()
  }

  /** Notes that a block was used. */
  touch(block: Block): void {
    if (this.#blocks.delete(block)) this.#blocks.add(block)
  }

  /** Ends a use of some blocks. */
  unpin(blocks: readonly Block[]): void {
    for (const block of blocks) block.pins--
    this.#trim()
  }

  remove(block: Block): void {
    if (this.#blocks.delete(block)) this.#bytes -= block.bytes.length
  }

  #trim(): void {
    if (this.#bytes <= this.#most) return
    for (const block of this.#blocks) {
      if (this.#bytes <= this.#most) return
      if (block.pins > 0) continue
      this.remove(block)
      block.drop()
    }
  }
}
