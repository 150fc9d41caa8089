import { closeSync, fstatSync, readSync } from 'node:fs'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import { openFile } from '../files/open-file.ts'

/** An open TIFF file: bytes at any place, and the numbers in its byte order. */
export class TiffFile implements Disposable {
  readonly path: string
  readonly byteLength: number
  /** Identifies the content of the file, until it changes. */
  readonly bigEndian: boolean
  /** Whether offsets have 64 bits. */
  readonly isBig: boolean
  /** The place of the first directory. */
  readonly first: number
  readonly #fd: number
  #closed = false

  /** @throws ConfigError `NO_SUCH_FILE`, `INVALID_METADATA`, `UNSUPPORTED`; InfrastructureError `IO_ERROR` */
  constructor(path: string) {
    this.path = path
    this.#fd = openFile(path)
    try {
      this.byteLength = fstatSync(this.#fd).size
      const header = this.bytes(0, Math.min(16, this.byteLength))
      const order = header.toString('latin1', 0, 2)
      this.bigEndian = order === 'MM'
      const version = header.length < 8 ? 0 : this.bigEndian ? header.readUInt16BE(2) : header.readUInt16LE(2)
      if (
        (order !== 'II' && order !== 'MM') ||
        (version !== 42 && version !== 43) ||
        (version === 43 && header.length < 16)
      ) {
        throw damaged(path, 'does not start as a TIFF file does')
      }
      this.isBig = version === 43
      this.first = this.isBig ? this.long8(header, 8) : this.long(header, 4)
    } catch (error) {
      closeSync(this.#fd)
      throw error
    }
  }

  /**
   * Reads bytes.
   * @throws ConfigError `INVALID_METADATA` if they lie beyond the end; InfrastructureError `IO_ERROR`
   */
  bytes(start: number, length: number): Buffer {
    if (this.#closed) throw new InfrastructureError('IO_ERROR', `"${this.path}" was closed; open it again to read.`)
    if (!(start >= 0 && length >= 0 && start + length <= this.byteLength)) {
      throw damaged(this.path, `names ${length} bytes at byte ${start}, but has ${this.byteLength}`)
    }
    const into = Buffer.allocUnsafe(length)
    for (let done = 0; done < length; ) {
      let count: number
      try {
        count = readSync(this.#fd, into, done, length - done, start + done)
      } catch (error) {
        throw new InfrastructureError('IO_ERROR', `Can't read ${this.path}: ${(error as Error).message}.`, {
          cause: error,
        })
      }
      if (count === 0) throw new InfrastructureError('IO_ERROR', `${this.path} became shorter while it was read.`)
      done += count
    }
    return into
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
    if (this.#closed) return
    this.#closed = true
    closeSync(this.#fd)
  }
}

export const damaged = (path: string, what: string): ConfigError =>
  new ConfigError('INVALID_METADATA', `${path} ${what}; the file is damaged, or was cut short when it was copied.`)
