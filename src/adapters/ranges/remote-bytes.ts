import { InfrastructureError } from '../../core/errors.ts'
import type { ByteFile, ByteRange } from '../../ports/byte-file.ts'
import { ChangedObject, MissingObject } from '../files/object-errors.ts'
import type { ObjectVersion } from '../http/http-request.ts'
import { AbsentBytes } from './absent-bytes.ts'
import { type Block, BlockCache } from './block-cache.ts'
import type { FoundRange, RangeSource } from './range-source.ts'

/** Ranges are aligned to this many bytes. */
export const BLOCK_BYTES = 64 * 2 ** 10
/** One request for ranges that are no further apart costs less than two. */
const GAP_BLOCKS = 4
/** Bytes of one request, at most: several of them at once are faster than a larger one. */
const REQUEST_BLOCKS = (8 * 2 ** 20) / BLOCK_BYTES
/** Requests of one file that are under way at once. */
const AT_ONCE = 8
/** What is read ahead of reads that follow each other: twice as much each time, up to this. */
const MOST_AHEAD_BYTES = 2 * 2 ** 20
/** All files of this thread keep so much together. */
const KEPT_BYTES = 64 * 2 ** 20

const cache = new BlockCache(KEPT_BYTES)
let made = 0

/** One version of a file behind an address, in aligned blocks that are kept as far as there is room. */
export class RemoteBytes implements ByteFile {
  readonly path: string
  readonly byteLength: number
  readonly id: string
  readonly isRemote = true
  readonly version: ObjectVersion | undefined
  readonly #source: RangeSource
  readonly #blocks = new Map<number, Block>()
  readonly #loading = new Map<number, Promise<void>>()
  readonly #closed: (file: RemoteBytes) => void
  readonly #waiting: (() => void)[] = []
  #requests = 0
  #users = 1
  /** Where the last read that lacked bytes ended, and how far it read ahead. */
  #ahead = { end: -1, bytes: BLOCK_BYTES }

  /**
   * @param first the first bytes, which were requested to learn what the file is
   * @param closed called when the last user has ended, or the file turned out to be another one now
   */
  constructor(
    source: RangeSource,
    { body, total, version }: FoundRange & { readonly total: number },
    closed: (file: RemoteBytes) => void,
  ) {
    this.path = source.where
    this.byteLength = total
    this.version = version
    this.id = `range ${++made}`
    this.#source = source
    this.#closed = closed
    this.#keep(0, body)
  }

  retain(): this {
    this.#users++
    return this
  }

  read(into: Uint8Array, position: number): number {
    const length = Math.max(0, Math.min(into.length, this.byteLength - position))
    if (length === 0) return 0
    const [first, last] = blocksOf({ start: position, length })
    for (let index = first; index <= last; index++) {
      if (!this.#blocks.has(index)) throw this.#absent(position, length)
    }
    for (let done = 0; done < length; ) {
      const index = Math.floor((position + done) / BLOCK_BYTES)
      const block = this.#blocks.get(index) as Block
      cache.touch(block)
      const start = position + done - index * BLOCK_BYTES
      const part = block.bytes.subarray(start, start + length - done)
      into.set(part, done)
      done += part.length
    }
    return length
  }

  async load(ranges: readonly ByteRange[], signal?: AbortSignal): Promise<Disposable> {
    const missing = this.#indicesOf(ranges)
    const pinned: Block[] = []
    try {
      while (missing.size > 0) {
        signal?.throwIfAborted()
        this.#assertOpen()
        for (const index of missing) {
          const block = this.#blocks.get(index)
          if (block === undefined) continue
          block.pins++
          pinned.push(block)
          missing.delete(index)
        }
        if (missing.size > 0) await unlessAborted(this.#fetch(missing), signal)
      }
    } catch (error) {
      cache.unpin(pinned)
      throw error
    }
    return {
      [Symbol.dispose]() {
        cache.unpin(pinned.splice(0))
      },
    }
  }

  [Symbol.dispose](): void {
    if (--this.#users > 0) return
    this.#closed(this)
    for (const block of this.#blocks.values()) cache.remove(block)
    this.#blocks.clear()
  }

  #indicesOf(ranges: readonly ByteRange[]): Set<number> {
    const indices = new Set<number>()
    for (const { start, length } of ranges) {
      const end = Math.min(this.byteLength, start + length)
      if (!(start >= 0 && end > start)) continue
      const [first, last] = blocksOf({ start, length: end - start })
      for (let index = first; index <= last; index++) indices.add(index)
    }
    return indices
  }

  #absent(position: number, length: number): AbsentBytes {
    this.#assertOpen()
    return new AbsentBytes((signal) => {
      const follows = position <= this.#ahead.end && position + length > this.#ahead.end
      const bytes = follows ? Math.min(MOST_AHEAD_BYTES, this.#ahead.bytes * 2) : BLOCK_BYTES
      const wanted = Math.max(length, bytes)
      this.#ahead = { end: Math.ceil((position + wanted) / BLOCK_BYTES) * BLOCK_BYTES, bytes }
      return this.load([{ start: position, length: wanted }], signal)
    })
  }

  /** Waits until some blocks were fetched, by this call or another one. */
  async #fetch(missing: ReadonlySet<number>): Promise<void> {
    const unasked = [...missing].filter((index) => !this.#loading.has(index)).sort((a, b) => a - b)
    for (const [first, last] of runsOf(unasked)) {
      const request = this.#during(() => this.#request(first, last)).finally(() => {
        for (let index = first; index <= last; index++) this.#loading.delete(index)
      })
      // Whoever waits for it hears of its failure.
      request.catch(() => {})
      for (let index = first; index <= last; index++) this.#loading.set(index, request)
    }
    await Promise.all(new Set([...missing].map((index) => this.#loading.get(index))))
  }

  async #during(request: () => Promise<void>): Promise<void> {
    while (this.#requests >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#requests++
    try {
      await request()
    } finally {
      this.#requests--
      this.#waiting.shift()?.()
    }
  }

  async #request(first: number, last: number): Promise<void> {
    const start = first * BLOCK_BYTES
    const length = Math.min((last + 1) * BLOCK_BYTES, this.byteLength) - start
    const found = await this.#source.get({ start, length }, this.version)
    if (found === 'missing') throw this.#gone(new MissingObject(this.path))
    if (found === 'changed' || this.#isOther(found)) throw this.#gone(new ChangedObject(this.path))
    if (found.isWhole) this.#keep(0, found.body)
    else if (found.body.length === length) this.#keep(first, found.body)
    else {
      const why = `the server sent ${found.body.length} of ${length} bytes at byte ${start}`
      throw new InfrastructureError('IO_ERROR', `Can't read ${this.path}: ${why}.`)
    }
  }

  /** Not all servers know conditions. */
  #isOther({ total, version }: FoundRange): boolean {
    return (total !== undefined && total !== this.byteLength) || version?.value !== this.version?.value
  }

  /** Whoever opens the address from now on gets the file that is there now. */
  #gone(error: InfrastructureError): InfrastructureError {
    this.#closed(this)
    return error
  }

  #keep(first: number, body: Uint8Array): void {
    const fresh: Block[] = []
    for (let at = 0, index = first; at < body.length; at += BLOCK_BYTES, index++) {
      const isWhole = at + BLOCK_BYTES <= body.length || first * BLOCK_BYTES + body.length >= this.byteLength
      if (this.#blocks.has(index) || !isWhole) continue
      // A view would keep all of the answer in memory.
      const bytes = body.slice(at, at + BLOCK_BYTES)
      const block = { bytes, pins: 1, drop: () => void this.#blocks.delete(index) }
      this.#blocks.set(index, block)
      cache.add(block)
      fresh.push(block)
    }
    // Until then, those who wait for them have pinned them.
    setImmediate(() => cache.unpin(fresh))
  }

  #assertOpen(): void {
    if (this.#users > 0) return
    throw new InfrastructureError('IO_ERROR', `"${this.path}" was closed; open it again to read.`)
  }
}

const blocksOf = ({ start, length }: ByteRange): readonly [number, number] => [
  Math.floor(start / BLOCK_BYTES),
  Math.floor((start + length - 1) / BLOCK_BYTES),
]

/** The first and the last block of each request. @param indices sorted */
export function runsOf(indices: readonly number[]): (readonly [number, number])[] {
  const runs: [number, number][] = []
  for (const index of indices) {
    const run = runs.at(-1)
    if (run !== undefined && index - run[1] <= GAP_BLOCKS && index - run[0] < REQUEST_BLOCKS) run[1] = index
    else runs.push([index, index])
  }
  return runs
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const stop = () => reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
