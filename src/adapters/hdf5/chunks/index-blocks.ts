import type { ByteFile } from '../../../ports/byte-file.ts'
import { DamagedHeader, readBytes, type Superblock } from '../object-header.ts'
import { lookup3 } from './lookup3.ts'

/** Blocks of an index are small, except those of damaged files. */
const LARGEST_BLOCK = 16 * 2 ** 20
/** Least recently used blocks beyond this are read again. */
const KEPT_BYTES = 8 * 2 ** 20

/** The blocks of a chunk index, read from the file at the first use and kept. */
export class IndexBlocks {
  readonly superblock: Superblock
  readonly #file: ByteFile
  readonly #kept = new Map<number, Buffer>()
  #bytes = 0

  constructor(file: ByteFile, superblock: Superblock) {
    this.#file = file
    this.superblock = superblock
  }

  /** Bytes of the file, none of them missing. @param address relative to the base @throws DamagedHeader */
  read(address: number, length: number): Buffer {
    if (length > LARGEST_BLOCK) throw new DamagedHeader(`a block of an index has ${length} bytes`)
    const bytes = readBytes(this.#file, this.superblock.base + address, length)
    if (bytes.length < length) throw new DamagedHeader('a block of an index lies beyond the end of the file')
    return bytes
  }

  /** A block that `load` reads and checks, unless it is kept. @throws DamagedHeader */
  block(address: number, load: () => Buffer): Buffer {
    const kept = this.#kept.get(address)
    if (kept !== undefined) {
      this.#kept.delete(address)
      this.#kept.set(address, kept)
      return kept
    }
    const bytes = load()
    this.#kept.set(address, bytes)
    this.#bytes += bytes.length
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= KEPT_BYTES || oldest === address) break
      this.#kept.delete(oldest)
      this.#bytes -= length
    }
    return bytes
  }

  /**
   * A block that starts with a signature and ends with a checksum.
   * @param length with both @throws DamagedHeader
   */
  checked(address: number, length: number, signature: string): Buffer {
    return this.block(address, () => {
      const bytes = this.read(address, length)
      if (bytes.toString('latin1', 0, 4) !== signature) throw new DamagedHeader(`a block "${signature}" is missing`)
      assertChecksum(bytes)
      return bytes
    })
  }

  /** A part of an array that ends with a checksum. @throws DamagedHeader */
  page(address: number, length: number): Buffer {
    return this.block(address, () => {
      const bytes = this.read(address, length)
      assertChecksum(bytes)
      return bytes
    })
  }
}

function assertChecksum(bytes: Buffer): void {
  const end = bytes.length - 4
  if (lookup3(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) {
    throw new DamagedHeader('a block of an index has a wrong checksum')
  }
}
