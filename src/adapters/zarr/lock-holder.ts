import { randomUUID } from 'node:crypto'
import { constants, lstat, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { hasEnded, identityOfProcess, type ProcessIdentity, thisMachine } from '../files/process-identity.ts'
import { TEMPORARY_PREFIX } from './store.ts'

/** How often a holder touches its file. */
export const BEAT_MS = 10_000
/** A holder that has given no sign of life for this long counts as dead. */
export const STALE_MS = 120_000

/** What says who holds something has no more than this; arrays come from others. */
export const MOST_HOLDER_BYTES = 65_536

/** The process that holds something: the content of the file that says so. */
export interface LockHolder extends ProcessIdentity {
  readonly token: string
  /** When the file was written, ISO. */
  readonly since: string
  /** What the holder says of itself. */
  readonly about: Readonly<Record<string, string>>
}

/** This process, as a holder. */
export const newHolder = (about: Readonly<Record<string, string>>): LockHolder => ({
  token: randomUUID(),
  ...identityOfProcess(),
  since: new Date().toISOString(),
  about,
})

// A link in place of a lock could lead to any file of this user. Windows has neither flag.
const OVERWRITE = constants.O_WRONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** Shows that the holder is alive. */
export async function touch(path: string): Promise<void> {
  // Writing lets the file system set the time; setting the time would use the clock of this machine.
  const file = await open(path, OVERWRITE)
  try {
    await file.write('{', 0)
  } finally {
    await file.close()
  }
}

/** A new name beside a file, which no reader of Zarr looks at. */
export const temporaryBeside = (path: string): string => join(dirname(path), `${TEMPORARY_PREFIX}lock-${randomUUID()}`)

/**
 * The holder that a file names; undefined if it can't be understood. A link or a pipe in its place, which no process of Bellis makes, is
 * `foreign`, and not followed or read: it may lead nowhere, or never end.
 */
export async function readHolder(path: string): Promise<LockHolder | 'missing' | 'foreign' | undefined> {
  let text: string
  try {
    const found = await lstat(path)
    if (!found.isFile() && !found.isDirectory()) return 'foreign'
    if (found.size > MOST_HOLDER_BYTES) return undefined
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return 'missing'
    throw error
  }
  return parseHolder(text)
}

/** @returns undefined if it can't be understood */
export function parseHolder(text: string): LockHolder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<LockHolder>
    return typeof holder.token === 'string' && typeof holder.pid === 'number' ? (holder as LockHolder) : undefined
  } catch {
    return undefined
  }
}

/** How long a holder has given no sign of life, ms: without end if it was a process of this machine and has ended, 0 if it has not. */
export async function silenceOf(path: string, holder: LockHolder | undefined): Promise<number> {
  return (await ownSilence(holder)) ?? (await ageOf(path))
}

/** @see silenceOf; undefined if the holder isn't a process of this machine */
export async function ownSilence(holder: LockHolder | undefined): Promise<number | undefined> {
  if (holder?.machine !== thisMachine()) return undefined
  return (await hasEnded(holder)) ? Number.POSITIVE_INFINITY : 0
}

/** Whether a holder has ended: a process of this machine, or one of another that has given no sign of life for {@link STALE_MS}. */
export const isDead = async (path: string, holder: LockHolder | undefined): Promise<boolean> =>
  (await silenceOf(path, holder)) > STALE_MS

/** How long ago a file was written, by the clock of its file system. */
async function ageOf(path: string): Promise<number> {
  const temporary = temporaryBeside(path)
  try {
    const { mtimeMs } = await stat(path)
    await writeFile(temporary, '', { flag: 'wx' })
    return (await stat(temporary)).mtimeMs - mtimeMs
  } catch {
    return 0
  } finally {
    await rm(temporary, { force: true })
  }
}
