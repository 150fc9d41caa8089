const PAGE_BITS = 32_768

/** A set of block indices, as bits in pages that exist once one of their bits was set. */
export class SparseBits {
  readonly #pages = new Map<number, Uint8Array>()

  has(index: number): boolean {
    const page = this.#pages.get(Math.floor(index / PAGE_BITS))
    return page !== undefined && ((page[(index % PAGE_BITS) >> 3]! >> (index & 7)) & 1) === 1
  }

  add(index: number): void {
    const number = Math.floor(index / PAGE_BITS)
    let page = this.#pages.get(number)
    if (page === undefined) {
      page = new Uint8Array(PAGE_BITS / 8)
      this.#pages.set(number, page)
    }
    page[(index % PAGE_BITS) >> 3]! |= 1 << (index & 7)
  }

  /** @returns whether it was there */
  delete(index: number): boolean {
    if (!this.has(index)) return false
    this.#pages.get(Math.floor(index / PAGE_BITS))![(index % PAGE_BITS) >> 3]! &= ~(1 << (index & 7))
    return true
  }
}
