import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../core/errors.ts'

/** The file in the folder of an array that names the run that wrote it last. Readers of Zarr ignore it. */
export const MARK_FILE = '.bellis-run'

/**
 * Returns a function that throws once an array is marked as that of another run, or has no mark any more. It costs a look at one file, which
 * is read again only if it was replaced.
 * @param folder of the array
 * @param owner the id in the mark of the run that writes
 * @throws ConfigError `RUN_LOCKED`
 */
export function writeGuard(folder: string, owner: string): () => void {
  const file = join(folder, MARK_FILE)
  let known: string | undefined
  return () => {
    const version = versionOf(file)
    if (version !== undefined && version === known) return
    if (version === undefined || ownerIn(file) !== owner) {
      throw new ConfigError(
        'RUN_LOCKED',
        `${folder} was replaced, or taken by another run, so nothing more is written to it; the run that this block belongs to is over.`,
      )
    }
    known = version
  }
}

function versionOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.ino} ${found.mtimeNs} ${found.size}`
}

function ownerIn(file: string): unknown {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { id?: unknown }).id
  } catch {
    return undefined
  }
}
