import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../core/errors.ts'

/** The file in the folder of an array that names the run that wrote it last. Readers of Zarr ignore it. */
export const MARK_FILE = '.bellis-run'
/** The file in the folder of an array that names the run that is writing it now. */
export const LOCK_FILE = '.bellis-lock'

/**
 * Returns a function that throws once an array is marked as that of another run, or has no mark any more. It costs a look at one file, which
 * is read again only if it was replaced.
 * @param folder of the array
 * @param owner the id in the mark of the run that writes, now
 * @throws ConfigError `RUN_LOCKED`
 */
export function writeGuard(folder: string, owner: () => string): () => void {
  const file = join(folder, MARK_FILE)
  let known: string | undefined
  return () => {
    const version = versionOf(file)
    const expected = owner()
    if (version !== undefined && `${version} ${expected}` === known) return
    if (version === undefined || ownerIn(file) !== expected) throw runIsOver(folder)
    known = `${version} ${expected}`
  }
}

/** @param folder of the array */
export const runIsOver = (folder: string): ConfigError =>
  new ConfigError(
    'RUN_LOCKED',
    `${folder} was replaced, or taken by another run, so nothing more is written to it; the run that this block belongs to is over.`,
  )

/**
 * Whether an array no longer belongs to a run, or is about to be taken from it: its mark is another one, or the lock of the run that writes
 * it now names the record of this run as one that it replaces.
 * @param folder of the array; one that is missing on this machine says nothing
 * @param owner the id in the mark of the run
 */
export function isTaken(folder: string, owner: string): boolean {
  if (ownerIn(join(folder, MARK_FILE)) !== owner) return existsSync(folder)
  const { about } = (read(join(folder, LOCK_FILE)) ?? {}) as { readonly about?: { readonly replaces?: unknown } }
  return about?.replaces === owner
}

function versionOf(file: string): string | undefined {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? undefined : `${found.ino} ${found.mtimeNs} ${found.size}`
}

const ownerIn = (file: string): unknown => (read(file) as { readonly id?: unknown } | undefined)?.id

/** @returns undefined if it is missing or damaged */
function read(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) ?? undefined
  } catch {
    return undefined
  }
}
