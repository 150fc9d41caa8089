import { lstatSync } from 'node:fs'
import { InfrastructureError } from '../../core/errors.ts'

/** What SQLite keeps beside a database, and reads whoever has put it there. */
const JOURNAL = '-journal'
const COMPANIONS = ['', '-wal', '-shm', JOURNAL]

/**
 * Checks what SQLite would open by itself: it follows links, creating what they lead to, waits for pipes, and may remove a file that a
 * journal names. So everything has to be a file, and a journal one of this user's: a folder may have been made by another.
 * @param file a database; it need not exist
 * @throws InfrastructureError `CORRUPT_DATA`
 */
export function assertPlainFiles(file: string): void {
  const uid = process.getuid?.()
  for (const companion of COMPANIONS) {
    const path = `${file}${companion}`
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    if (!found.isFile())
      throw notPlain(path, `is ${found.isSymbolicLink() ? 'a link' : 'a folder, a pipe or a device'}`)
    if (companion === JOURNAL && uid !== undefined && found.uid !== uid) throw notPlain(path, 'belongs to another user')
  }
}

const notPlain = (path: string, what: string): InfrastructureError =>
  new InfrastructureError(
    'CORRUPT_DATA',
    `${path} ${what}; expected a file of the run itself, so it is not opened. If the folder is yours, remove it.`,
  )
