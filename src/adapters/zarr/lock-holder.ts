import { randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { lstat, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { TEMPORARY_PREFIX } from './store.ts'

/** How often a holder touches its file. */
export const BEAT_MS = 10_000
/** A holder on another machine that has not touched its file for this long counts as dead. */
export const STALE_MS = 120_000

/** The process that holds something: the content of the file that says so. */
export interface LockHolder {
  readonly token: string
  readonly host: string
  /** What tells process ids apart: the machine since it was started, and the namespace of its process ids. */
  readonly machine: string
  readonly pid: number
  /** When the process was started, as the system counts; absent if the system does not say. */
  readonly processStart?: string
  /** When the file was written, ISO. */
  readonly since: string
  /** What the holder says of itself. */
  readonly about: Readonly<Record<string, string>>
}

/** This process, as a holder. */
export function newHolder(about: Readonly<Record<string, string>>): LockHolder {
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

/** This machine, as holders name it. Containers share a boot and may share a name, but not their process ids. */
export function thisMachine(): string {
  const parts = [hostname()]
  try {
    parts.push(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), readlinkSync('/proc/self/ns/pid'))
  } catch {
    // Not Linux.
  }
  return parts.join(' ')
}

/** When a process of this machine was started, in ticks since the boot; undefined if it has ended, or if the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may contain anything. After it come the state and, as the 20th field, the start.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    // A process that has ended stays in the table until its parent asks for it, which some never do.
    return /[ZX]/.test(fields[0] ?? '') ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** Shows that the holder is alive. */
export async function touch(path: string): Promise<void> {
  // Writing lets the file system set the time; setting the time would use the clock of this machine.
  const file = await open(path, 'r+')
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

/** Whether a holder has ended: a process of this machine, or one of another that has not touched its file for {@link STALE_MS}. */
export async function isDead(path: string, holder: LockHolder | undefined): Promise<boolean> {
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
