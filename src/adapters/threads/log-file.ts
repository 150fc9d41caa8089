import { fstatSync, readSync } from 'node:fs'

const LAST_OUTPUT_BYTES = 4096
const LAST_OUTPUT_LINES = 10

/** The last lines that a worker wrote, from where it began in its file. @param file an open file */
export function readEnd(file: number, begin: number): string {
  const end = fstatSync(file).size
  const from = Math.max(begin, end - LAST_OUTPUT_BYTES)
  const bytes = Buffer.alloc(end - from)
  readSync(file, bytes, 0, bytes.length, from)
  return bytes.toString('utf8').trim().split('\n').slice(-LAST_OUTPUT_LINES).join('\n')
}
