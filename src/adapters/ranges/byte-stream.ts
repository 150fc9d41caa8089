import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { ByteFile } from '../../ports/byte-file.ts'

/** Fetched at once of a file that is read from its start to its end. */
const WINDOW_BYTES = 4 * 2 ** 20

/** Read at once of a file on a disk: Node's 64 KiB take longer. */
const PIECE_BYTES = 2 ** 18

/** The bytes of a file from `start` on, one after the other. */
export function byteStream(file: ByteFile, start: number): Readable {
  return file.isRemote
    ? Readable.from(windowsOf(file, start), { objectMode: false })
    : createReadStream(file.path, { start, highWaterMark: PIECE_BYTES })
}

async function* windowsOf(file: ByteFile, from: number): AsyncGenerator<Buffer> {
  for (let start = from; start < file.byteLength; start += WINDOW_BYTES) {
    const window = Buffer.alloc(Math.min(WINDOW_BYTES, file.byteLength - start))
    using _held = await file.load([{ start, length: window.length }])
    yield window.subarray(0, file.read(window, start))
  }
}
