import { lstatSync, mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../core/system-errors.ts'
import { processesWith } from '../files/left-programs.ts'
import { thisMachine } from '../files/process-identity.ts'
import { isObjectAddress } from '../objects/object-address.ts'
import { BEAT_MS, isDead, type LockHolder, newHolder, readHolder, touch } from './lock-holder.ts'
import { whyTaken } from './write-guard.ts'

/** In the folder of an array: one file for each process that is writing it, for a run, other than through Bellis. */
export const WRITERS_FOLDER = '.bellis-writers'
/** In the environment of a program that writes on behalf of a writer, and of all programs that it starts: the writer's token. */
export const WRITER_VARIABLE = 'BELLIS_WRITER'
/** How often a writer looks whether its arrays were taken by another run. */
const WATCH_MS = 500
/** How long the files of a writer stay after a block: another one may follow at once. */
const IDLE_MS = 1000

/** The arrays of a run that something writes other than through Bellis. */
export interface WrittenArrays {
  /** The id in the marks of the run. */
  readonly id: string
  /** The folders of the arrays. */
  readonly folders: readonly string[]
}

/**
 * Says in the folders of arrays, while a block is being done, that this process, or a program of it, may write them. A run that replaces
 * what is there waits for it.
 */
export class OutputWriter implements Disposable {
  readonly #arrays: WrittenArrays
  readonly #holder: LockHolder
  /** What is running, and the lease of its block. */
  readonly #running = new Map<AbortController, number | undefined>()
  #files: readonly string[] = []
  #timer: NodeJS.Timeout | undefined
  #touched = 0
  #idleSince = 0

  constructor(arrays: WrittenArrays) {
    // Programs leave no files in an object store: what they write there themselves is not watched.
    this.#arrays = { ...arrays, folders: arrays.folders.filter((folder) => !isObjectAddress(folder)) }
    this.#holder = newHolder({ record: arrays.id })
  }

  /** Identifies this writer: the value of {@link WRITER_VARIABLE} for a program that writes on its behalf. */
  get token(): string {
    return this.#holder.token
  }

  /** The id in the marks of the run. */
  get record(): string {
    return this.#arrays.id
  }

  /**
   * Writes during a block.
   * @param lease of the block
   * @param write gets a signal that is aborted when another run takes one of the arrays, or another worker the block: the writing must stop then
   * @throws ConfigError, InfrastructureError `RUN_LOCKED` if that has happened; what `write` throws
   */
  async during<Result>(lease: number | undefined, write: (taken: AbortSignal) => Promise<Result>): Promise<Result> {
    const taking = new AbortController()
    this.#running.set(taking, lease)
    try {
      this.#timer ??= setInterval(() => this.#watch(), WATCH_MS).unref()
      // The other run takes the array and then looks for writers, so one of the two sees the other.
      this.#announce()
      const taken = this.#whyTaken(lease)
      if (taken !== undefined) throw taken
      return await write(taking.signal)
    } catch (error) {
      throw taking.signal.aborted ? taking.signal.reason : error
    } finally {
      this.#running.delete(taking)
      this.#idleSince = performance.now()
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#withdraw()
  }

  #watch(): void {
    if (this.#running.size > 0) {
      for (const [running, lease] of this.#running) {
        const taken = this.#whyTaken(lease)
        if (taken !== undefined) running.abort(taken)
      }
      if (performance.now() - this.#touched > BEAT_MS) this.#touch()
    } else if (performance.now() - this.#idleSince > IDLE_MS) {
      this[Symbol.dispose]()
    }
  }

  #whyTaken(lease: number | undefined): Error | undefined {
    for (const folder of this.#arrays.folders) {
      const why = whyTaken(folder, this.#arrays.id, lease)
      if (why !== undefined) return why
    }
    return undefined
  }

  #announce(): void {
    if (this.#files.length > 0) return
    const text = `${JSON.stringify(this.#holder)}\n`
    const files = this.#arrays.folders.map((folder) => join(folder, WRITERS_FOLDER, this.token))
    this.#files = files.filter((file) => createIn(file, text))
    this.#touched = performance.now()
  }

  #touch(): void {
    this.#touched = performance.now()
    for (const file of this.#files) void touch(file).catch(() => {})
  }

  #withdraw(): void {
    for (const file of this.#files) {
      try {
        rmSync(file, { force: true })
        rmdirSync(dirname(file))
      } catch {
        // Others are writing, too, or the array is gone.
      }
    }
    this.#files = []
  }
}

/** @returns false if nothing can be written there, and so no array either, or if a link leads elsewhere */
function createIn(file: string, text: string): boolean {
  for (let attempt = 0; attempt < 10; attempt++) {
    try {
      mkdirSync(dirname(file))
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') return false
    }
    const folder = lstatSync(dirname(file), { throwIfNoEntry: false })
    if (folder?.isDirectory() === false) return false
    try {
      writeFileSync(file, text, { flag: 'wx' })
      return true
    } catch (error) {
      // The last other writer has just removed the folder.
      if (errnoOf(error) !== 'ENOENT') return false
    }
  }
  return false
}

/** A process that may still write an array. */
export interface LateWriter {
  readonly host: string
  /** Of the writer, or of the programs that it has left behind. */
  readonly pids: readonly number[]
  /** Whether the writer itself has ended: nobody ends its programs any more. */
  readonly isLeft: boolean
}

/**
 * The processes that may still write an array on behalf of a run that is over. Files of those that have ended are removed.
 * @param folder of the array
 * @param isReplaced whether a record is over although its workers are alive
 */
export async function lateWriters(folder: string, isReplaced: (record: string) => boolean): Promise<LateWriter[]> {
  const writers = join(folder, WRITERS_FOLDER)
  // The array may come from others: a link in place of the folder would lead to files that are no concern of it.
  if (!lstatSync(writers, { throwIfNoEntry: false })?.isDirectory()) return []
  const late: LateWriter[] = []
  for (const name of await readdir(writers).catch(() => [])) {
    const file = join(writers, name)
    const holder = await readHolder(file).catch(() => undefined)
    // A writer that was killed while it wrote its file has done nothing else.
    if (typeof holder !== 'object' || holder.token !== name) continue
    if (await isDead(file, holder)) {
      const left = holder.machine === thisMachine() ? processesWith(WRITER_VARIABLE, new Set([holder.token])) : []
      if (left.length > 0) late.push({ host: String(holder.host), pids: left, isLeft: true })
      else await rm(file, { force: true }).catch(() => {})
    } else if (isReplaced(String(holder.about?.record))) {
      late.push({ host: String(holder.host), pids: [holder.pid], isLeft: false })
    }
  }
  if (late.length === 0) await rmdir(writers).catch(() => {})
  return late
}
