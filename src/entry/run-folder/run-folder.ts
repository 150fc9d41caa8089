import { mkdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { takeExclusiveLock } from '../../adapters/sqlite/file-lock.ts'
import { ConfigError, InfrastructureError, messageOf } from '../../core/errors.ts'
import { readJson, writeWhole } from './run-files.ts'
import type { DescribedTask } from './run-place.ts'

/** What a run's folder says of its run. */
export interface RunDocument {
  readonly created: string
  /** Where the run was started: relative paths in configurations start there. */
  readonly directory: string
  /** Where its progress is kept: `sqlite`, `none`, `custom`, or a database's URL without its credentials. */
  readonly progress: string
  readonly tasks: readonly DescribedTask[]
}

/** Who runs a run now. */
export interface RunHolder {
  readonly pid: number
  readonly host: string
  readonly user: string
  readonly since: string
}

/** A run's folder that is this process's alone until it is disposed. */
export interface HeldRunFolder extends Disposable {
  readonly path: string
  /** Whether this start of the run made it. */
  readonly isNew: boolean
  /** Removes a folder that this start has made, where the run could not begin: nothing was written then. */
  removeIfNew(): void
}

const DOCUMENT = 'run.json'
const LOCK = 'lock'
/** Shared by the run's workers of this machine. */
const WORKERS = 'workers.lock'
const HOLDER = 'holder.json'
/** Workers of a coordinator that is gone end by themselves sooner. */
const ORPHANS_MS = 10_000
/** What SQLite's errors say where the disk is full: the locks are its files. */
const SQLITE_FULL = 13
/** How the name of a folder begins that is not whole yet. */
export const BEING_MADE = '.tmp-'
let made = 0

/**
 * Makes a run's folder where there is none, whole or not at all, and takes it for this process.
 * @param overwrite what is written there of the run
 * @throws ConfigError `RUN_LOCKED` when the run is on already, `READ_ONLY`; InfrastructureError `DISK_FULL`
 */
export function holdRunFolder(path: string, document: RunDocument, overwrite = false): HeldRunFolder {
  let isNew = false
  const madeFolders: string[] = []
  try {
    makeWithParents(dirname(path), madeFolders)
    isNew = makeWhole(path, document)
  } catch (error) {
    removeEmpty(madeFolders)
    throw folderError(path, 'made', error)
  }
  const release = takeLock(path)
  try {
    awaitOrphans(path)
    if (overwrite) writeWhole(join(path, DOCUMENT), textOf(document))
  } catch (error) {
    release()
    throw folderError(path, 'written', error)
  }
  return {
    path,
    isNew,
    removeIfNew() {
      if (!isNew) return
      release()
      rmSync(path, { recursive: true, force: true })
      removeEmpty(madeFolders)
    },
    [Symbol.dispose]: release,
  }
}

/** @returns false when it is there already */
function makeWhole(path: string, document: RunDocument): boolean {
  if (readRunDocument(path) !== undefined) return false
  const temporary = join(dirname(path), `${BEING_MADE}${process.pid}-${made++}`)
  try {
    mkdirSync(join(temporary, 'logs'), { recursive: true })
    writeFileSync(join(temporary, DOCUMENT), textOf(document))
    renameSync(temporary, path)
    return true
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
    // Another start of the run was faster, or the folder was made by hand.
    if (readRunDocument(path) === undefined) {
      throw new ConfigError('READ_ONLY', `${path} holds something else than a run; remove it, or choose --run-dir.`)
    }
    return false
  }
}

const textOf = (document: RunDocument): string => `${JSON.stringify(document, null, 2)}\n`

function takeLock(path: string): () => void {
  let lock: Disposable | undefined
  try {
    // Whoever merely looks whether the run is on holds it for a moment.
    lock = takeExclusiveLock(join(path, LOCK), 300)
  } catch (error) {
    throw folderError(path, 'written', error)
  }
  if (lock === undefined) {
    const holder = readRunHolder(path)
    const who =
      holder === undefined ? '' : ` by process ${holder.pid} of ${holder.user} on ${holder.host}, since ${holder.since}`
    throw new ConfigError(
      'RUN_LOCKED',
      `This run is on already${who}; to add workers to it: bellis worker ${path}; to see how it goes: bellis status ${path}.`,
    )
  }
  const holder: RunHolder = {
    pid: process.pid,
    host: hostname(),
    user: userName(),
    since: new Date().toISOString(),
  }
  const file = join(path, HOLDER)
  try {
    writeWhole(file, `${JSON.stringify(holder)}\n`)
  } catch (error) {
    lock[Symbol.dispose]()
    throw folderError(path, 'written', error)
  }
  let isHeld = true
  return () => {
    if (!isHeld) return
    isHeld = false
    rmSync(file, { force: true })
    lock[Symbol.dispose]()
  }
}

/** Workers of a start that was killed may still be at their last block: until they are gone no other worker may touch it. */
function awaitOrphans(path: string): void {
  const lock = takeExclusiveLock(workersLock(path), ORPHANS_MS)
  lock?.[Symbol.dispose]()
  if (lock !== undefined) return
  throw new ConfigError(
    'RUN_LOCKED',
    `Workers of an earlier start of this run do not end; end them (ps shows them as worker-process), then start again.`,
  )
}

/** What the workers of a run on this machine hold together while they live. */
export const workersLock = (folder: string): string => join(folder, WORKERS)

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may know no name for its user.
    return String(process.getuid?.() ?? '?')
  }
}

/** Who runs the run in a folder, if it is on. */
export function runHolderOf(path: string): RunHolder | undefined {
  const holder = readRunHolder(path)
  if (holder === undefined) return undefined
  const lock = takeExclusiveLock(join(path, LOCK))
  lock?.[Symbol.dispose]()
  return lock === undefined ? holder : undefined
}

/** @returns undefined where there is none, or no run */
export const readRunDocument = (path: string): RunDocument | undefined => readJson(join(path, DOCUMENT))
const readRunHolder = (path: string): RunHolder | undefined => readJson(join(path, HOLDER))

/** Removes folders that nobody has put anything into. @param folders outermost first */
function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder)
    } catch {
      return
    }
  }
}

// Not the `recursive` of node:fs: it calls every failure ENOENT, also a file system that is read-only.
function makeWithParents(path: string, made: string[]): void {
  try {
    mkdirSync(path)
    made.push(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    makeWithParents(dirname(path), made)
    makeWithParents(path, made)
  }
}

/** @param action what could not be done: where the folder is there already, so may a record be that is worth to be continued */
function folderError(path: string, action: 'made' | 'written', error: unknown): Error {
  if (error instanceof ConfigError) return error
  const { code, errcode } = error as NodeJS.ErrnoException & { readonly errcode?: number }
  const what = `The run's folder ${path} can't be ${action}: `
  const [elsewhere, continues] = [
    'choose another place with --run-dir',
    'what was recorded is safe, and the same command continues',
  ]
  if (code === 'ENOSPC' || code === 'EDQUOT' || errcode === SQLITE_FULL) {
    const hint = `the disk is full; free some space${action === 'made' ? `, or ${elsewhere}` : `: ${continues}`}.`
    return new InfrastructureError('DISK_FULL', `${what}${hint}`, { cause: error })
  }
  const reason = code === 'EROFS' ? 'the file system is read-only' : messageOf(error)
  const hint = action === 'made' ? elsewhere : `make it writable: ${continues}`
  return new ConfigError('READ_ONLY', `${what}${reason}; ${hint}.`, { cause: error })
}
