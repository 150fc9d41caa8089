import { createHash } from 'node:crypto'
import { link, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { type LockHolder, newHolder, readHolder, STALE_MS, silenceOf, temporaryBeside, touch } from './lock-holder.ts'
import { TEMPORARY_PREFIX } from './store.ts'
import {
  awaitLock,
  type HeldLockFile,
  type LockFile,
  type LockPlace,
  TakenLock,
  type WaitOptions,
} from './taken-lock.ts'

/**
 * Takes the lock of a file, which exists while it is held. The file names its holder. If that has ended without removing it, the lock is
 * taken over: at once if the holder was a process of this machine, and after {@link STALE_MS} without a sign of life if it was not.
 * Readers of the folder are never held up.
 * @param path in a folder that exists
 * @throws the system's error if the file can't be written
 */
export async function takeLockFile(
  path: string,
  about: Readonly<Record<string, string>> = {},
): Promise<LockFile | HeldLockFile> {
  const mine = newHolder(about)
  for (;;) {
    if (await createWhole(path, mine, linkOrCreate)) return new TakenLock(placeOf(path), mine)
    const found = await readHolder(path)
    if (found === 'missing') continue
    const silentMs = await silenceOfFound(path, found)
    if (silentMs <= STALE_MS) return heldBy(found, silentMs)
    // Whoever replaces this very holder does so alone: the file names a holder at every moment, so no third process can come between.
    const claim = await takeLockFile(claimOn(path, found), about)
    if (claim.status === 'held') return claim
    try {
      // Another one may have replaced it before.
      const now = await readHolder(path)
      if (now === 'missing' || !isSame(now, found) || (await silenceOfFound(path, now)) <= STALE_MS) continue
      if (await createWhole(path, mine, replace)) return new TakenLock(placeOf(path), mine)
    } finally {
      await claim[Symbol.asyncDispose]()
    }
  }
}

type Found = Awaited<ReturnType<typeof readHolder>>

const silenceOfFound = async (path: string, found: Exclude<Found, 'missing'>): Promise<number> =>
  found === 'foreign' ? Number.POSITIVE_INFINITY : silenceOf(path, found)

const heldBy = (holder: Found, silentMs: number): HeldLockFile =>
  typeof holder === 'object' ? { status: 'held', silentMs, holder } : { status: 'held', silentMs }

/** The lock that whoever takes another one over from a dead holder has to hold meanwhile. */
function claimOn(path: string, holder: Found): string {
  const token = typeof holder === 'object' ? holder.token : ''
  const name = createHash('sha256')
    .update(`${basename(path)} ${token}`)
    .digest('hex')
    .slice(0, 32)
  return join(dirname(path), `${TEMPORARY_PREFIX}lock-${name}`)
}

/** Takes a lock, and waits for it if somebody else holds it. @param options.about what this process says of itself in the lock */
export const awaitLockFile = (
  path: string,
  { about = {}, ...waiting }: WaitOptions & { readonly about?: Readonly<Record<string, string>> } = {},
): Promise<LockFile> => awaitLock(() => takeLockFile(path, about), waiting)

const placeOf = (path: string): LockPlace => ({
  where: path,
  what: dirname(path),
  async look() {
    const found = await readHolder(path)
    return { holder: typeof found === 'object' ? found : undefined, touch: () => touch(path) }
  },
  remove: () => rm(path, { force: true }).catch(() => {}),
})

type Place = (temporary: string, path: string, text: string) => Promise<boolean>

/** @returns what `place` does, which gives the file its name: false if that exists */
async function createWhole(path: string, holder: LockHolder, place: Place): Promise<boolean> {
  const text = `${JSON.stringify(holder)}\n`
  const temporary = temporaryBeside(path)
  try {
    await writeFile(temporary, text, { flag: 'wx' })
    return await place(temporary, path, text)
  } finally {
    // A full disk leaves an empty one.
    await rm(temporary, { force: true })
  }
}

async function linkOrCreate(temporary: string, path: string, text: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    // Some file systems have no links. There, a reader may see an unfinished file for a moment.
    return await createInPlace(path, text)
  }
}

async function createInPlace(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    await rm(path, { force: true })
    throw error
  }
}

async function replace(temporary: string, path: string): Promise<boolean> {
  await rename(temporary, path)
  return true
}

const isSame = (found: Found, holder: Found): boolean =>
  typeof found === 'object' && typeof holder === 'object' ? found.token === holder.token : found === holder
