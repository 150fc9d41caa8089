import { fstatSync, readSync } from 'node:fs'

const LAST_OUTPUT_BYTES = 4096
/** What V8 says at its end takes about this much. */
const LAST_CRASH_BYTES = 16_384
const LAST_OUTPUT_LINES = 10

/** The last lines that a worker wrote, from where it began in its file. @param file an open file */
export const readEnd = (file: number, begin: number): string =>
  readLast(file, begin, LAST_OUTPUT_BYTES).trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')

/** Whether the last that a worker wrote is that its memory did not suffice. */
export const ranOutOfMemory = (file: number, begin: number): boolean =>
  /^FATAL ERROR: .*heap out of memory$/m.test(readLast(file, begin, LAST_CRASH_BYTES))

function readLast(file: number, begin: number, most: number): string {
  const end = fstatSync(file).size
  const from = Math.max(begin, end - most)
  const bytes = Buffer.alloc(end - from)
  readSync(file, bytes, 0, bytes.length, from)
  return bytes.toString('utf8')
}
