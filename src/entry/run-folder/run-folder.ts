import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { makeFolders } from '../../adapters/files/make-folders.ts'
import { ENDING_MS, identityOfProcess, isEnding, type ProcessIdentity } from '../../adapters/files/process-identity.ts'
import { takeExclusiveLock } from '../../adapters/sqlite/file-lock.ts'
import { BlockwiseError, ConfigError, InfrastructureError } from '../../core/errors.ts'
import { given } from '../../core/given.ts'
import { errnoOf, systemFailure, systemReason } from '../../core/system-errors.ts'
import { showTime } from '../../core/text/local-time.ts'
import { ownCommand } from '../own-command.ts'
import { readJson, replaceFile, syncFolder } from './run-files.ts'
import type { DescribedTask } from './run-place.ts'

/** The content of `run.json`. */
export interface RunDocument {
  readonly created: string
  /** The working directory of the run; relative paths in configurations start there. */
  readonly directory: string
  /** The command line of its first start, without credentials: see `continuation.ts`. Runs of earlier versions have none. */
  readonly command?: readonly string[]
  /** The names of variables that this command needs, without their values: see `continuation.ts`. */
  readonly variables?: readonly string[]
  /** Where its progress is kept: `sqlite`, `none`, `custom`, or a database's URL without its credentials. */
  readonly progress: string
  readonly tasks: readonly DescribedTask[]
}

/** The process that runs a run now. */
export interface RunHolder {
  readonly pid: number
  readonly host: string
  readonly user: string
  readonly since: string
  /** The process that it ends with. */
  readonly parent?: NonNullable<ProcessIdentity['parent']>
}

/** A run's folder, locked by this process until it is disposed. */
export interface HeldRunFolder extends Disposable {
  readonly path: string
  /** Whether this start of the run created it. */
  readonly isNew: boolean
  /** Aborted, with an InfrastructureError as reason, when the folder was removed or replaced: another start could begin then. */
  readonly lost: AbortSignal
  /** Replaces the document of an earlier start. @throws ConfigError `READ_ONLY`; InfrastructureError `DISK_FULL` */
  renew(): void
  /** Says what the tasks are, if their blocks have changed: their volume has grown. @throws as `renew` */
  describe(tasks: readonly DescribedTask[]): void
  /** Removes the folder if this start created it and the run could not begin; nothing was written then. */
  removeIfNew(): void
}

/** What the run is, and the command that started it. */
export const DOCUMENT = 'run.json'
const LOCK = 'lock'
/** Shared by the run's workers on this machine. */
const WORKERS = 'workers.lock'
const HOLDER = 'holder.json'
/** How workers reach the coordinator while the run is running. */
export const CONTEXT_FILE = 'context'
const LEFT_BEHIND = new Set([
  ...[LOCK, WORKERS, HOLDER, CONTEXT_FILE, 'logs', 'slurm', 'sge', 'pbs', 'lsf', 'kubernetes', 'history', 'control'],
  ...['live.json', 'masks.json', 'provenance.json', 'sessions.json', 'dashboard.json'],
  ...['workers.pickle', 'tasks.pickle'],
])
/** How often a run looks whether its folder is still there. */
const WATCH_MS = 1000
/** Workers end by themselves within this time after their coordinator has ended. */
const ORPHANS_MS = 10_000
/** SQLite's error code for a full disk: the locks are SQLite files. */
const SQLITE_FULL = 13
/** Prefix of folders that are still being created. */
export const INCOMPLETE_PREFIX = '.tmp-'
let created = 0

/**
 * Creates a run's folder in one step, if there is none, and locks it for this process. An existing one keeps its document.
 * @throws ConfigError `RUN_LOCKED` if the run is already running, `READ_ONLY`; InfrastructureError `DISK_FULL`
 * @param options `fsync`: what is written is on the disk itself. @default false
 */
export function holdRunFolder(path: string, document: RunDocument, { fsync = false } = {}): HeldRunFolder {
  let isNew = false
  const parents: string[] = []
  try {
    makeFolders(dirname(path), parents)
    isNew = createWhole(path, document, fsync)
  } catch (error) {
    removeEmpty(parents)
    throw folderError(path, 'created', error)
  }
  const release = takeLock(path)
  try {
    awaitOrphans(path)
  } catch (error) {
    release()
    throw folderError(path, 'written', error)
  }
  const watch = watchFolder(path)
  const write = (renewed: RunDocument) => {
    try {
      replaceFile(join(path, DOCUMENT), textOf(renewed), { fsync })
    } catch (error) {
      throw folderError(path, 'written', error)
    }
  }
  return {
    path,
    isNew,
    lost: watch.lost,
    renew: () => write(document),
    describe(tasks) {
      const found = readRunDocument(path)
      const blocksOf = (all: readonly DescribedTask[] = []) =>
        JSON.stringify(all.map(({ blocks, grid, unit }) => ({ blocks, grid, unit })))
      if (found !== undefined && blocksOf(found.tasks) !== blocksOf(tasks)) write({ ...found, tasks })
    },
    removeIfNew() {
      if (!isNew) return
      watch[Symbol.dispose]()
      release()
      rmSync(path, { recursive: true, force: true })
      removeEmpty(parents)
    },
    [Symbol.dispose]() {
      watch[Symbol.dispose]()
      release()
    },
  }
}

/** Notices that a folder has been removed or replaced. Other failures may pass. */
function watchFolder(path: string): Disposable & { readonly lost: AbortSignal } {
  const losing = new AbortController()
  const inode = () => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
  const first = inode()
  const check = () => {
    try {
      if (inode() === first) return
    } catch {
      return
    }
    clearInterval(timer)
    const message = `${path} was removed or replaced during the run, so nothing more can be recorded; start the run again.`
    losing.abort(new InfrastructureError('IO_ERROR', message))
  }
  const timer = setInterval(check, WATCH_MS).unref()
  return { lost: losing.signal, [Symbol.dispose]: () => clearInterval(timer) }
}

/** @returns false if it already exists */
function createWhole(path: string, document: RunDocument, fsync: boolean): boolean {
  if (readRunDocument(path) !== undefined) return false
  const temporary = join(dirname(path), `${INCOMPLETE_PREFIX}${process.pid}-${created++}`)
  try {
    mkdirSync(join(temporary, 'logs'), { recursive: true })
    replaceFile(join(temporary, DOCUMENT), textOf(document), { fsync })
    renameSync(temporary, path)
    if (fsync) syncFolder(dirname(path))
    return true
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true })
    const errno = errnoOf(error)
    if (errno !== 'ENOTEMPTY' && errno !== 'EEXIST') throw error
    // Another start of the run was faster, or the folder was created by hand.
    if (readRunDocument(path) === undefined) {
      if (existsSync(join(path, DOCUMENT))) throw damaged(path)
      if (isLeftBehind(path)) {
        replaceFile(join(path, DOCUMENT), textOf(document), { fsync })
        return true
      }
      throw new ConfigError(
        'READ_ONLY',
        `${path} is not the folder of a run; remove it, or choose another place with --run-dir.`,
      )
    }
    return false
  }
}

/**
 * Whether a folder contains only what a run writes besides its document and its record: its folder was removed while it was running, and
 * it made some of it again before it noticed.
 */
const isLeftBehind = (path: string): boolean => readdirSync(path).every((name) => LEFT_BEHIND.has(name))

const damaged = (path: string): Error =>
  new InfrastructureError(
    'CORRUPT_DATA',
    `${join(path, DOCUMENT)} is damaged: expected the JSON that describes a run; restore it, or start again by removing ${path}, which also removes the record of what is done.`,
  )

const textOf = (document: RunDocument): string => `${JSON.stringify(document, null, 2)}\n`

function takeLock(path: string): () => void {
  let lock: Disposable | undefined
  try {
    // Commands that check whether the run is running hold it for a moment.
    lock = takeExclusiveLock(join(path, LOCK), 300) ?? takeFromEnding(path)
  } catch (error) {
    throw folderError(path, 'written', error)
  }
  if (lock === undefined) {
    const holder = readRunHolder(path)
    const who =
      holder === undefined
        ? ''
        : `, in process ${holder.pid} of ${holder.user} on ${holder.host}, since ${showTime(holder.since)}`
    throw new ConfigError(
      'RUN_LOCKED',
      `This run is already running${who}; to add workers: ${ownCommand('worker', path)}; to see its progress: ${ownCommand('status', path)}.`,
    )
  }
  const holder: RunHolder = {
    pid: process.pid,
    host: hostname(),
    user: userName(),
    since: new Date().toISOString(),
    ...given({ parent: identityOfProcess().parent }),
  }
  const file = join(path, HOLDER)
  try {
    replaceFile(file, `${JSON.stringify(holder)}\n`)
  } catch (error) {
    lock[Symbol.dispose]()
    throw folderError(path, 'written', error)
  }
  let isHeld = true
  return () => {
    if (!isHeld) return
    isHeld = false
    rmSync(file, { force: true })
    // One that a killed start has left behind, if this one had nothing to do.
    rmSync(join(path, CONTEXT_FILE), { force: true })
    lock[Symbol.dispose]()
  }
}

/** The lock of a start that was killed, or whose parent was, and that is still ending. */
function takeFromEnding(path: string): Disposable | undefined {
  const holder = readRunHolder(path)
  const isOurs = holder?.host === hostname() && isEnding(holder)
  return isOurs ? takeExclusiveLock(join(path, LOCK), ENDING_MS) : undefined
}

/** Workers of a killed start may still be processing their last block. Until they have ended, no other worker may write it. */
function awaitOrphans(path: string): void {
  const lock = takeExclusiveLock(workersLock(path), ORPHANS_MS)
  lock?.[Symbol.dispose]()
  if (lock !== undefined) return
  throw new ConfigError(
    'RUN_LOCKED',
    `Workers of an earlier start of this run are still running; end them (ps shows them as worker-process, or as the Python program that has started them), then start again.`,
  )
}

/** The lock shared by the workers of a run on this machine while they are running. */
export const workersLock = (folder: string): string => join(folder, WORKERS)

/** Who runs this process. */
export function userName(): string {
  try {
    return userInfo().username
  } catch {
    // In a container the user may have no name.
    return String(process.getuid?.() ?? '?')
  }
}

/** The process that runs the run in a folder; undefined unless it is running. */
export function runHolderOf(path: string): RunHolder | undefined {
  const holder = readRunHolder(path)
  if (holder === undefined) return undefined
  try {
    const file = join(path, LOCK)
    // A run that is running has one: who only looks makes none.
    if (!existsSync(file)) return undefined
    const lock = takeExclusiveLock(file)
    lock?.[Symbol.dispose]()
    return lock === undefined ? holder : undefined
  } catch {
    // The lock belongs to another user.
    return mayRun(holder) ? holder : undefined
  }
}

/** Whether the process exists, as far as this machine can know. */
function mayRun({ pid, host }: RunHolder): boolean {
  if (host !== hostname()) return true
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** @returns undefined if the folder is missing or not that of a run */
export const readRunDocument = (path: string): RunDocument | undefined =>
  readJson<RunDocument>(join(path, DOCUMENT), ({ tasks }) => Array.isArray(tasks))
const readRunHolder = (path: string): RunHolder | undefined => readJson(join(path, HOLDER))

/** Removes folders that are still empty. @param folders outermost first */
function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders.toReversed()) {
    try {
      rmdirSync(folder)
    } catch {
      return
    }
  }
}

/** @param action what failed; a folder that could not be written exists, and may contain a record worth continuing */
function folderError(path: string, action: 'created' | 'written', error: unknown): Error {
  if (error instanceof BlockwiseError) return error
  const what = `The run's folder ${path} can't be ${action}: `
  const elsewhere = 'choose another place with --run-dir'
  const continues = 'what was recorded is safe, and the same command continues'
  const failure = systemFailure(error)
  const isFull = failure?.code === 'DISK_FULL' || (error as { readonly errcode?: number }).errcode === SQLITE_FULL
  if (isFull) {
    const reason = failure?.reason ?? 'the disk is full'
    const hint = action === 'created' ? `, or ${elsewhere}` : `: ${continues}`
    return new InfrastructureError('DISK_FULL', `${what}${reason}; free some space${hint}.`, { cause: error })
  }
  const hint = action === 'created' ? elsewhere : `make it writable: ${continues}`
  return new ConfigError('READ_ONLY', `${what}${failure?.reason ?? systemReason(error)}; ${hint}.`, { cause: error })
}
