import { closeSync, copyFileSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InfrastructureError } from '../../core/errors.ts'
import { errnoOf } from '../../core/system-errors.ts'
import { assertPlainFiles } from './plain-files.ts'

/** The length of the header of SQLite's write-ahead log. It changes whenever the log starts again. */
const LOG_HEADER_BYTES = 32
const MAX_ATTEMPTS = 20

/**
 * Copies a database, with its write-ahead log, that a process of another machine may be writing: SQLite shares a log only between
 * processes of one machine. A log to which something was added meanwhile is no harm, since its last part is then not used; one that has
 * started again is, since the database may have changed before, so the copy is made again.
 * @returns the copy, which can be opened for reading and writing; disposing removes it
 * @throws InfrastructureError `IO_ERROR`; the system's error
 */
export function copyDatabase(file: string): Disposable & { readonly file: string } {
  assertPlainFiles(file)
  const folder = mkdtempSync(join(tmpdir(), 'bellis-record-'))
  const copy = join(folder, 'record.sqlite')
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const before = logHeader(`${file}-wal`)
      copyFileSync(file, copy)
      copyIfThere(`${file}-wal`, `${copy}-wal`)
      if (logHeader(`${file}-wal`) === before) return { file: copy, [Symbol.dispose]: remove }
    }
  } catch (error) {
    remove()
    throw error
  }
  remove()
  throw new InfrastructureError('IO_ERROR', `The progress in ${file} changes too fast to be read; try again.`)
}

function copyIfThere(from: string, to: string): void {
  try {
    copyFileSync(from, to)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    rmSync(to, { force: true })
  }
}

/** @returns '' if there is no log */
function logHeader(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return ''
    throw error
  }
  try {
    const header = Buffer.alloc(LOG_HEADER_BYTES)
    return header.toString('hex', 0, readSync(file, header))
  } finally {
    closeSync(file)
  }
}
