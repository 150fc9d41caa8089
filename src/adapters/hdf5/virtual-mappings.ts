import type { ByteFile } from '../../ports/byte-file.ts'
import {
  DamagedHeader,
  findMessage,
  type HeaderMessage,
  MESSAGE,
  readBytes,
  type Superblock,
  unsigned,
} from './object-header.ts'

/*
 * The mappings of a virtual dataset, which h5wasm lists without their selections. Section numbers refer to the "HDF5 File Format
 * Specification", version 3.
 */

/** Some elements of a dataset. */
export type Selection =
  | { readonly kind: 'all' }
  /** Of a kind that is not looked at: single points, or as many as there are. */
  | { readonly kind: 'unknown' }
  /** A box around the elements. `end` is excluded. */
  | { readonly kind: 'boxes'; readonly end: readonly number[]; readonly count: number }

/** A part of a virtual dataset, and where its elements come from. */
export interface VirtualMapping {
  readonly file: string
  readonly dataset: string
  readonly source: Selection
  readonly target: Selection
}

const VIRTUAL = 3
/** In a count or the size of a block: as many as there are. */
const UNLIMITED = { 2: 0xffff, 4: 0xffff_ffff, 8: Number(2n ** 64n - 1n) } as const

/**
 * @returns none for a dataset that is not virtual, and for encodings that are not known
 * @see File Format Specification IV.A.2.i and III.H
 */
export function virtualMappings(
  file: ByteFile,
  block: Superblock,
  messages: readonly HeaderMessage[],
): VirtualMapping[] {
  const layout = findMessage(file, block, messages, MESSAGE.layout)?.data
  if (layout === undefined || layout[0]! < 4 || layout[1] !== VIRTUAL) return []
  const { offsetSize, lengthSize } = block
  const heap = heapObject(file, block, unsigned(layout, 2, offsetSize), unsigned(layout, 2 + offsetSize, 4))
  const reader = new SelectionReader(heap)
  if (reader.number(1) !== 0) return []
  const count = reader.number(lengthSize)
  const mappings: VirtualMapping[] = []
  for (let i = 0; i < count; i++) {
    const [file, dataset] = [reader.text(), reader.text()]
    const source = reader.selection()
    // What follows a selection of unknown length can't be read.
    if (source === undefined) return mappings
    const target = reader.selection()
    if (target === undefined) return mappings
    mappings.push({ file, dataset, source, target })
  }
  return mappings
}

/** An object of a global heap. @see File Format Specification III.E */
function heapObject(file: ByteFile, block: Superblock, address: number, index: number): Buffer {
  const { lengthSize } = block
  const start = block.base + address
  const head = readBytes(file, start, 8 + lengthSize)
  if (head.subarray(0, 4).toString('latin1') !== 'GCOL') throw new DamagedHeader('a global heap is missing')
  const heap = readBytes(file, start, unsigned(head, 8, lengthSize))
  for (let at = 8 + lengthSize; at + 8 + lengthSize <= heap.length; ) {
    const number = heap.readUInt16LE(at)
    const length = unsigned(heap, at + 8, lengthSize)
    const data = at + 8 + lengthSize
    if (number === index) return heap.subarray(data, data + length)
    if (number === 0) break
    at = data + Math.ceil(length / 8) * 8
  }
  throw new DamagedHeader(`a global heap has no object ${index}`)
}

class SelectionReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  number(size: number): number {
    if (this.#at + size > this.#bytes.length) throw new DamagedHeader('a list of virtual sources is truncated')
    const value = unsigned(this.#bytes, this.#at, size)
    this.#at += size
    return value
  }

  text(): string {
    const end = this.#bytes.indexOf(0, this.#at)
    if (end === -1) throw new DamagedHeader('a list of virtual sources is truncated')
    const text = this.#bytes.subarray(this.#at, end).toString()
    this.#at = end + 1
    return text
  }

  /** @returns undefined for a kind whose length is unknown @see File Format Specification IV.A.2.b, "Selection" */
  selection(): Selection | undefined {
    const kind = this.number(4)
    const version = this.number(4)
    if (kind === 0 || kind === 3) {
      this.#at += 8
      return kind === 3 ? { kind: 'all' } : { kind: 'unknown' }
    }
    if (kind !== 2) return undefined
    switch (version) {
      case 1:
        this.#at += 8
        return this.#boxes(4, this.number(4))
      case 2:
        // Flags, then the length of the rest.
        this.#at += 5
        return this.#regular(8, this.number(4))
      case 3: {
        const isRegular = (this.number(1) & 1) !== 0
        const size = this.number(1)
        const rank = this.number(4)
        return isRegular ? this.#regular(size, rank) : this.#boxes(size, rank)
      }
      default:
        return undefined
    }
  }

  #list(size: number, length: number): number[] {
    if (this.#at + size * length > this.#bytes.length) throw new DamagedHeader('a list of virtual sources is truncated')
    return Array.from({ length }, () => this.number(size))
  }

  #regular(size: number, rank: number): Selection {
    const axes = Array.from(
      { length: checkedRank(rank) },
      () => this.#list(size, 4) as [number, number, number, number],
    )
    const most = UNLIMITED[size as keyof typeof UNLIMITED]
    if (axes.some(([, , count, length]) => count === most || length === most)) return { kind: 'unknown' }
    return {
      kind: 'boxes',
      end: axes.map(([start, stride, count, length]) => start + (count - 1) * stride + length),
      count: axes.reduce((product, [, , count, length]) => product * count * length, 1),
    }
  }

  #boxes(size: number, rank: number): Selection {
    const number = this.number(size)
    const end = Array<number>(checkedRank(rank)).fill(0)
    let count = 0
    for (let box = 0; box < number; box++) {
      const [from, to] = [this.#list(size, rank), this.#list(size, rank)]
      count += from.reduce((product, start, axis) => product * (to[axis]! - start + 1), 1)
      for (const [axis, last] of to.entries()) end[axis] = Math.max(end[axis]!, last + 1)
    }
    return { kind: 'boxes', end, count }
  }
}

/** HDF5 has at most 32 axes. */
function checkedRank(rank: number): number {
  if (rank >= 1 && rank <= 32) return rank
  throw new DamagedHeader(`a selection has ${rank} axes`)
}
