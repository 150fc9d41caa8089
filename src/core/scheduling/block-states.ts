import { nextClearBit } from './bitmap.ts'

// The values of a block's cell. Every value above PENDING means "pending, and waits for (cell - PENDING) more blocks".
/** Nothing has happened yet: a root (ready) or a block that waits for all of its dependencies. */
export const UNTOUCHED = 0
/** Ready, and in the queue: it became ready during the run, or was returned. */
export const READY = 1
export const PROCESSING = 2
export const COMPLETED = 3
export const FAILED = 4
export const ORPHANED = 5
/** Part of the release that is being checked; never visible outside of it. */
export const RELEASING = 6
export const PENDING = 6

export type Cells = Uint8Array | Uint16Array | Uint32Array | Float64Array

const PAGE_BITS = 15
export const PAGE_SIZE = 1 << PAGE_BITS
export const PAGE_MASK = PAGE_SIZE - 1
/** The page table is a flat array, so this many pages are the limit: 2^39 blocks. */
const MAX_PAGES = 1 << 24
export const MAX_BLOCKS = MAX_PAGES * PAGE_SIZE
/** Finished pages kept for the next ones that are touched. */
const SPARE_PAGES = 64

/**
 * One cell per block, in pages that exist from the first touch of one of their blocks until the last one has completed. The
 * memory in use therefore depends only on the front between completed and untouched blocks.
 */
export class BlockStates {
  /** Writable only through {@link page}; all finished pages are one shared page, which is never written. */
  readonly pages: (Cells | undefined)[]
  readonly #open: Int32Array
  readonly #blockCount: number
  readonly #done: Uint8Array | undefined
  readonly #width: 1 | 2 | 4 | 8
  readonly #spare: Cells[] = []
  #finished: Cells | undefined
  #livePages = 0

  /**
   * @param mostWaitedFor an upper bound of the number of blocks that one block waits for: it decides the width of a cell
   * @param done a bitmap of the blocks that are done at the start
   */
  constructor(blockCount: number, mostWaitedFor: number, done: Uint8Array | undefined) {
    // A block that is withheld waits for one more.
    const highest = PENDING + mostWaitedFor + 1
    this.#width = highest < 2 ** 8 ? 1 : highest < 2 ** 16 ? 2 : highest < 2 ** 32 ? 4 : 8
    this.#blockCount = blockCount
    this.#done = done
    const pageCount = Math.ceil(blockCount / PAGE_SIZE)
    this.pages = new Array<Cells | undefined>(pageCount).fill(undefined)
    this.#open = new Int32Array(pageCount)
  }

  get bytesPerBlock(): number {
    return this.#width
  }

  get bytesInUse(): number {
    return this.#livePages * Math.min(PAGE_SIZE, this.#blockCount) * this.#width
  }

  /** The page with this number, created if necessary. */
  page(number: number): Cells {
    return this.pages[number] ?? this.#touch(number)
  }

  get(index: number): number {
    const low = index & PAGE_MASK
    return this.page((index / PAGE_SIZE) | 0)[low]!
  }

  /** Not for completed blocks: see {@link complete}. */
  set(index: number, cell: number): void {
    const low = index & PAGE_MASK
    this.page((index / PAGE_SIZE) | 0)[low] = cell
  }

  /** As `get`, without creating a page. */
  peek(index: number): number {
    const low = index & PAGE_MASK
    const page = this.pages[(index / PAGE_SIZE) | 0]
    if (page !== undefined) return page[low]!
    return this.#done !== undefined && nextClearBit(this.#done, index, index + 1) !== index ? COMPLETED : UNTOUCHED
  }

  /** Marks a held block as being released, so that naming it twice is noticed; false if it is not held. */
  markReleasing(index: number): boolean {
    if (!(Number.isInteger(index) && index >= 0 && index < this.#blockCount)) return false
    const low = index & PAGE_MASK
    const page = this.pages[(index / PAGE_SIZE) | 0]
    if (page === undefined || page[low] !== PROCESSING) return false
    page[low] = RELEASING
    return true
  }

  complete(index: number): void {
    const low = index & PAGE_MASK
    const number = (index / PAGE_SIZE) | 0
    const page = this.page(number)
    page[low] = COMPLETED
    if (--this.#open[number]! === 0) this.#finish(number, page)
  }

  /** A completed block is open again. */
  reopen(index: number, cell: number): void {
    const low = index & PAGE_MASK
    const number = (index / PAGE_SIZE) | 0
    let page = this.page(number)
    if (page === this.#finished) {
      const length = Math.min(PAGE_SIZE, this.#blockCount - number * PAGE_SIZE)
      page = (length === PAGE_SIZE ? this.#spare.pop() : undefined) ?? this.#allocate(length)
      page.fill(COMPLETED)
      this.pages[number] = page
      this.#livePages++
    }
    this.#open[number]!++
    page[low] = cell
  }

  /** Whether all blocks of a page are completed. */
  isFinished(number: number): boolean {
    return this.pages[number] !== undefined && this.pages[number] === this.#finished
  }

  #touch(number: number): Cells {
    const start = number * PAGE_SIZE
    const length = Math.min(PAGE_SIZE, this.#blockCount - start)
    let open = length
    if (this.#done !== undefined) {
      open = 0
      for (let at = start - 1, end = start + length; (at = nextClearBit(this.#done, at + 1, end)) < end; ) open++
    }
    this.#open[number] = open
    if (open === 0) return (this.pages[number] = this.#finishedPage())
    let page = length === PAGE_SIZE ? this.#spare.pop() : undefined
    if (page === undefined) page = this.#allocate(length)
    else page.fill(UNTOUCHED)
    if (open < length) {
      page.fill(COMPLETED)
      const done = this.#done as Uint8Array
      for (let at = start - 1, end = start + length; (at = nextClearBit(done, at + 1, end)) < end; ) {
        page[at - start] = UNTOUCHED
      }
    }
    this.#livePages++
    return (this.pages[number] = page)
  }

  #finish(number: number, page: Cells): void {
    this.pages[number] = this.#finishedPage()
    this.#livePages--
    if (page.length === PAGE_SIZE && this.#spare.length < SPARE_PAGES) this.#spare.push(page)
  }

  #finishedPage(): Cells {
    this.#finished ??= this.#allocate(Math.min(PAGE_SIZE, this.#blockCount)).fill(COMPLETED)
    return this.#finished
  }

  #allocate(length: number): Cells {
    switch (this.#width) {
      case 1:
        return new Uint8Array(length)
      case 2:
        return new Uint16Array(length)
      case 4:
        return new Uint32Array(length)
      case 8:
        return new Float64Array(length)
      default:
        return this.#width satisfies never
    }
  }
}
