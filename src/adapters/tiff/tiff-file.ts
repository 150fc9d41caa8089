import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { ByteFile, ByteRange } from '../../ports/byte-file.ts'
import { AbsentBytes } from '../ranges/absent-bytes.ts'

/** An open TIFF file: bytes at any place, and the numbers in its byte order. */
export class TiffFile implements Disposable {
  readonly path: string
  readonly byteLength: number
  readonly bigEndian: boolean
  /** Whether offsets have 64 bits. */
  readonly isBig: boolean
  /** The place of the first directory. */
  readonly first: number

  readonly #file: ByteFile

  /** @param file whose user this becomes @throws ConfigError `INVALID_METADATA`; AbsentBytes */
  constructor(file: ByteFile) {
    this.path = file.path
    this.#file = file
    this.byteLength = file.byteLength
    const header = this.bytes(0, Math.min(16, this.byteLength))
    const order = header.toString('latin1', 0, 2)
    this.bigEndian = order === 'MM'
    const version = header.length < 8 ? 0 : this.bigEndian ? header.readUInt16BE(2) : header.readUInt16LE(2)
    if (
      (order !== 'II' && order !== 'MM') ||
      (version !== 42 && version !== 43) ||
      (version === 43 && header.length < 16)
    ) {
      throw damaged(this.path, 'does not start as a TIFF file does')
    }
    this.isBig = version === 43
    this.first = this.isBig ? this.long8(header, 8) : this.long(header, 4)
  }

  /**
   * Reads bytes.
   * @throws ConfigError `INVALID_METADATA` if they lie beyond the end; InfrastructureError `IO_ERROR`; AbsentBytes
   */
  bytes(start: number, length: number): Buffer {
    this.assertHas(start, length)
    const into = Buffer.allocUnsafe(length)
    let count: number
    try {
      count = this.#file.read(into, start)
    } catch (error) {
      if (error instanceof AbsentBytes || error instanceof InfrastructureError) throw error
      throw new InfrastructureError('IO_ERROR', `Can't read ${this.path}: ${(error as Error).message}.`, {
        cause: error,
      })
    }
    if (count < length) throw new InfrastructureError('IO_ERROR', `${this.path} became shorter while it was read.`)
    return into
  }

  /** @throws ConfigError `INVALID_METADATA` for bytes that lie beyond the end */
  assertHas(start: number, length: number): void {
    if (start >= 0 && length >= 0 && start + length <= this.byteLength) return
    throw damaged(this.path, `names ${length} bytes at byte ${start}, but has ${this.byteLength}`)
  }

  /** Makes bytes ready to be read, until the result is disposed. */
  load(ranges: readonly ByteRange[], signal: AbortSignal | undefined): Promise<Disposable> {
    return this.#file.load(ranges, signal)
  }

  get isRemote(): boolean {
    return this.#file.isRemote
  }

  short(bytes: Buffer, at: number): number {
    return this.bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)
  }

  long(bytes: Buffer, at: number): number {
    return this.bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)
  }

  /** @returns a number beyond every file if it has more than 53 bits */
  long8(bytes: Buffer, at: number): number {
    return Number(this.bigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at))
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]()
  }
}

export const damaged = (path: string, what: string): ConfigError =>
  new ConfigError('INVALID_METADATA', `${path} ${what}; the file is damaged, or was cut short when it was copied.`)
