import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { link, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { InfrastructureError } from '../../core/errors.ts'
import { errnoOf } from '../../core/system-errors.ts'
import { TEMPORARY_PREFIX } from './store.ts'

/** How often the holder of a lock touches its file. */
const BEAT_MS = 10_000
/** A holder on another machine that has not touched its file for this long counts as dead. */
export const STALE_MS = 120_000

/** Who holds a lock: the content of its file. */
export interface LockHolder {
  readonly token: string
  readonly host: string
  /** What tells process ids apart: the machine since it was started, and the namespace of its process ids. */
  readonly machine: string
  readonly pid: number
  /** When the process was started, as the system counts; absent if the system does not say. */
  readonly processStart?: string
  /** When the lock was taken, ISO. */
  readonly since: string
  /** What the holder says of itself. */
  readonly about: Readonly<Record<string, string>>
}

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
    // Writing lets the file system set the time; setting the time would use the clock of this machine.
    const file = await open(this.#path, 'r+')
    try {
      await file.write('{', 0)
    } finally {
      await file.close()
    }
  }
}

function newHolder(about: Readonly<Record<string, string>>): LockHolder {
  const processStart = startOf(process.pid)
  return {
    token: randomUUID(),
    host: hostname(),
    machine: thisMachine(),
    pid: process.pid,
    ...(processStart === undefined ? {} : { processStart }),
    since: new Date().toISOString(),
    about,
  }
}

/** Containers share a boot and may share a name, but not their process ids. */
function thisMachine(): string {
  const parts = [hostname()]
  try {
    parts.push(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid'))
  } catch {
    // Not Linux.
  }
  return parts.join(' ')
}

/** When a process of this machine was started, in ticks since the boot; undefined if there is none, or if the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may contain anything; the start is the 20th field after it.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
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

const temporaryBeside = (path: string): string => join(dirname(path), `${TEMPORARY_PREFIX}lock-${randomUUID()}`)

/** @returns undefined if the file can't be understood */
async function readHolder(path: string): Promise<LockHolder | 'missing' | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return 'missing'
    throw error
  }
  try {
    const holder = JSON.parse(text) as Partial<LockHolder>
    return typeof holder.token === 'string' && typeof holder.pid === 'number' ? (holder as LockHolder) : undefined
  } catch {
    return undefined
  }
}

const isSame = (found: LockHolder | 'missing' | undefined, holder: LockHolder | undefined): boolean =>
  typeof found === 'object' ? found.token === holder?.token : found === holder

async function isDead(path: string, holder: LockHolder | undefined): Promise<boolean> {
  if (holder?.machine === thisMachine()) return !isRunning(holder)
  return (await ageOf(path)) > STALE_MS
}

function isRunning({ pid, processStart }: LockHolder): boolean {
  if (processStart !== undefined) return startOf(pid) === processStart
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

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
