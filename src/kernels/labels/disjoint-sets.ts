/**
 * Disjoint sets of the numbers 0, 1, 2, … that can be united (union-find), up to 2^32 numbers and more. A set is identified by
 * its smallest member.
 * @example
 * const sets = new DisjointSets(4)
 * sets.unite(1, 3)
 * sets.find(3) // 1
 * sets.numberSets() // { numbers: [1, 2, 3, 2], count: 3 }
 */
export class DisjointSets {
  #parents: Uint32Array | Float64Array
  #size: number

  /** @param size how many numbers to start with, each in its own set @default 0 */
  constructor(size = 0) {
    this.#parents = memoryFor(Math.max(size, 1024))
    this.#size = size
    for (let i = 0; i < size; i++) this.#parents[i] = i
  }

  /** How many numbers there are. */
  get size(): number {
    return this.#size
  }

  /** Adds the next number, in its own set. @returns the number */
  add(): number {
    if (this.#size === this.#parents.length) {
      const larger = memoryFor(2 * this.#size)
      larger.set(this.#parents)
      this.#parents = larger
    }
    this.#parents[this.#size] = this.#size
    return this.#size++
  }

  /** The smallest member of a number's set. @param member a number below {@link size} */
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

  /** Unites the sets of two numbers. @returns false if they were the same set already */
  unite(a: number, b: number): boolean {
    const [one, other] = [this.find(a), this.find(b)]
    if (one === other) return false
    this.#parents[Math.max(one, other)] = Math.min(one, other)
    return true
  }

  /** Numbers the sets 1, 2, … in the order of their smallest members. @returns for each member the number of its set, and how many sets there are */
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
