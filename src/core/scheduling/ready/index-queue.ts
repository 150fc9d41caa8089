/** A first-in, first-out queue of block indices: a ring that doubles when it is full. */
export class IndexQueue {
  #ring = new Float64Array(16)
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(index: number): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = index
    this.#size++
  }

  /** Removes the oldest index; only to be called while `size` is not 0. */
  shift(): number {
    const index = this.#ring[this.#head]!
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    return index
  }

  clear(): void {
    this.#ring = new Float64Array(16)
    this.#head = 0
    this.#size = 0
  }

  #grow(): void {
    const larger = new Float64Array(this.#ring.length * 2)
    larger.set(this.#ring.subarray(this.#head))
    larger.set(this.#ring.subarray(0, this.#head), this.#ring.length - this.#head)
    this.#ring = larger
    this.#head = 0
  }
}
