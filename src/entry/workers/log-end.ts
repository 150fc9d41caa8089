import { open } from 'node:fs/promises'
import type { LogReader } from '../../ports/log-reader.ts'

const MAX_BYTES = 16_384
const LINE_FEED = 0x0a

/** Reads the end of a log file. @see LogReader */
export const readLogEnd: LogReader = async (path, from = 0) => {
  await using file = await open(path)
  const { size } = await file.stat()
  const start = Math.max(from, size - MAX_BYTES)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.max(0, size - start)), { position: start })
  const text = buffer.subarray(0, bytesRead)
  // The first line may be incomplete, even within a character.
  return (start > from ? text.subarray(text.indexOf(LINE_FEED) + 1) : text).toString('utf8')
}
