import { link, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { InfrastructureError } from '../../core/errors.ts'
import { errnoOf } from '../../core/system-errors.ts'
import { BEAT_MS, isDead, type LockHolder, newHolder, readHolder, temporaryBeside, touch } from './lock-holder.ts'

/** A lock that this process holds. Disposing releases it. */
export interface LockFile extends AsyncDisposable {
  readonly status: 'taken'
  /** Aborted, with an InfrastructureError as reason, when the file was removed, or another process has taken the lock over. */
  readonly lost: AbortSignal
  /** Ends the lock without removing its file, for one that was removed with its folder. */
  abandon(): void
}

/** A lock that somebody else holds. `holder` is absent if the file can't be read. */
export interface HeldLockFile {
  readonly status: 'held'
  readonly holder?: LockHolder
}

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
    if (await createWhole(path, mine)) return new TakenLock(path, mine)
    const found = await readHolder(path)
    if (found === 'missing') continue
    if (!(await isDead(path, found)))
      return found === undefined ? { status: 'held' } : { status: 'held', holder: found }
    await removeStale(path, found)
  }
}

/** Takes a lock, and waits for it if somebody else holds it. @param everyMs how often to try, on average */
export async function awaitLockFile(path: string, everyMs = 20): Promise<LockFile> {
  for (;;) {
    const lock = await takeLockFile(path)
    if (lock.status === 'taken') return lock
    await new Promise((resolve) => setTimeout(resolve, everyMs * (0.5 + Math.random())))
  }
}

class TakenLock implements LockFile {
  readonly status = 'taken'
  readonly #path: string
  readonly #holder: LockHolder
  readonly #losing = new AbortController()
  readonly #timer: NodeJS.Timeout
  #isHeld = true

  constructor(path: string, holder: LockHolder) {
    this.#path = path
    this.#holder = holder
    this.#timer = setInterval(() => void this.#beat().catch(() => {}), BEAT_MS).unref()
  }

  get lost(): AbortSignal {
    return this.#losing.signal
  }

  abandon(): void {
    this.#isHeld = false
    clearInterval(this.#timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isHeld) return
    this.abandon()
    const found = await readHolder(this.#path)
    if (isSame(found, this.#holder)) await rm(this.#path, { force: true }).catch(() => {})
  }

  async #beat(): Promise<void> {
    const found = await readHolder(this.#path)
    if (!this.#isHeld) return
    if (!isSame(found, this.#holder)) {
      this.abandon()
      const what =
        found === 'missing' || found === undefined
          ? 'was removed'
          : `was taken over by process ${found.pid} on ${found.host}`
      const message = `${this.#path} ${what}, so ${dirname(this.#path)} no longer belongs to this process, which stops here.`
      this.#losing.abort(new InfrastructureError('RUN_LOCKED', message))
      return
    }
    await touch(this.#path)
  }
}

/** @returns false if the file exists */
async function createWhole(path: string, holder: LockHolder): Promise<boolean> {
  const text = `${JSON.stringify(holder)}\n`
  const temporary = temporaryBeside(path)
  try {
    await writeFile(temporary, text, { flag: 'wx' })
    return await linkOrCreate(temporary, path, text)
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

const isSame = (found: LockHolder | 'missing' | undefined, holder: LockHolder | undefined): boolean =>
  typeof found === 'object' ? found.token === holder?.token : found === holder

/** Removes the lock of a dead holder, and puts back what another process has put in its place meanwhile. */
async function removeStale(path: string, holder: LockHolder | undefined): Promise<void> {
  const aside = temporaryBeside(path)
  try {
    await rename(path, aside)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  if (!isSame(await readHolder(aside), holder)) await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
}
