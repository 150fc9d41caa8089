/** Numbers 0, 1, 2, … in sets that can be united; each set is known by its smallest number. */
export class DisjointSets {
  #parents: Uint32Array | Float64Array
  #size: number

  /** @param size how many numbers there are at first, each a set of its own @default 0 */
  constructor(size = 0) {
    this.#parents = memoryFor(Math.max(size, 1024))
    this.#size = size
    for (let i = 0; i < size; i++) this.#parents[i] = i
  }

  get size(): number {
    return this.#size
  }

  /** One more number, in a set of its own. */
  add(): number {
    if (this.#size === this.#parents.length) {
      const larger = memoryFor(2 * this.#size)
      larger.set(this.#parents)
      this.#parents = larger
    }
    this.#parents[this.#size] = this.#size
    return this.#size++
  }

  /** The smallest number of the set that a number is in. */
  find(member: number): number {
    const parents = this.#parents
    let at = member
    while (parents[at] !== at) {
      const above = parents[parents[at]!]!
      parents[at] = above
      at = above
    }
    return at
  }

  /** Makes one set of two. @returns false where they were one before */
  unite(a: number, b: number): boolean {
    const [one, other] = [this.find(a), this.find(b)]
    if (one === other) return false
    this.#parents[Math.max(one, other)] = Math.min(one, other)
    return true
  }

  /** Numbers the sets 1, 2, …, in the order of their smallest members. @returns the number of each member's set, and how many there are */
  numberSets(): { numbers: Uint32Array | Float64Array; count: number } {
    const numbers = memoryFor(this.#size)
    let count = 0
    for (let member = 0; member < this.#size; member++) {
      const smallest = this.find(member)
      numbers[member] = smallest === member ? ++count : numbers[smallest]!
    }
    return { numbers, count }
  }
}

const memoryFor = (size: number): Uint32Array | Float64Array =>
  size <= 2 ** 32 ? new Uint32Array(size) : new Float64Array(size)
