import { existsSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isObjectAddress } from '../../adapters/objects/object-address.ts'
import { takeLockFile } from '../../adapters/zarr/lock-file.ts'
import { BEAT_MS, STALE_MS } from '../../adapters/zarr/lock-holder.ts'
import { KNOWN_MS, takeArrayLock } from '../../adapters/zarr/objects/object-marks.ts'
import { type LateWriter, lateWriters } from '../../adapters/zarr/output-writers.ts'
import type { HeldLockFile, LockFile } from '../../adapters/zarr/taken-lock.ts'
import { LOCK_FILE } from '../../adapters/zarr/write-guard.ts'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { LineageMark } from '../../core/progress/lineage.ts'
import type { RunIdentity } from '../../core/progress/run-identity.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { isMissingFile, systemFailure } from '../../core/system-errors.ts'
import { showDuration } from '../../core/text/numbers.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'
import type { LeaseFence } from '../../runtime/coordinator/run-options.ts'
import type { PlannedOutput, PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { arrayStore, packedFileOf } from '../arrays.ts'
import {
  confirmsRecord,
  describeMark,
  type FoundMark,
  isMarkOf,
  leasesIn,
  type MarkedRun,
  markLeases,
  markLineage,
  type OutputMark,
  readMark,
  writeMark,
} from './output-mark.ts'
import { noteEnd, noteStart, provenanceOf } from './provenance/output-provenance.ts'
import { ownCommand, ownVersion } from './run-command.ts'

/** What the marks of a run say, but for the id of its record. */
export type OutputAuthor = Omit<OutputMark, 'id'>

/** @param folder of the run; it need not exist */
export const authorOf = (folder: string): OutputAuthor => ({
  run: basename(folder),
  folder: arrayStore.canonicalPath(folder),
  command: ownCommand(),
  started: new Date().toISOString(),
  bellis: ownVersion(),
})

/** What is known of a run before its outputs may be written. */
export interface OutputClaim {
  /** The id of the run's record. */
  readonly id: string | undefined
  /** Whether blocks of a task are recorded as done. */
  isResumed(task: PlannedTask): boolean
}

/** How long a start waits for processes of runs that are over. Workers notice within a second that an array is taken. */
const LATE_WRITERS_MS = 15_000
/** How long it waits for programs that a worker has left behind: the system may be ending them. */
const LEFT_PROGRAMS_MS = 3_000
const LOOK_AGAIN_MS = 200
/** More than a run gives in a second, so that a number from the clock is above those of earlier starts. */
const LEASES_PER_SECOND = 2 ** 20
/** The same for a clock that was put back: more than a start gives, as a rule, after it has last said which leases hold. */
const LEASE_GAP = 2 ** 30

/** How a run starts. */
export interface OutputOptions {
  readonly fsync?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** Says why the start waits, and if an output that another run has begun, but not written yet, is taken over. */
  readonly warn: (message: string) => void
}

/**
 * The arrays that a run creates, or continues to write. While they are open, no other run can write them. Disposing releases them.
 */
export class RunOutputs implements AsyncDisposable {
  readonly #tasks: readonly PlannedTask[]
  readonly #author: OutputAuthor
  readonly #fsync: boolean
  readonly #overwrite: boolean
  readonly #warn: OutputOptions['warn']
  readonly #locks = new Map<string, LockFile>()
  readonly #losing = new AbortController()
  /** The paths of the arrays that are marked. */
  readonly #marked = new Set<string>()

  private constructor(
    { tasks }: PlannedPipeline,
    author: OutputAuthor,
    { fsync = false, overwrite = false, warn }: OutputOptions,
  ) {
    this.#tasks = tasks
    this.#author = author
    this.#fsync = fsync
    this.#overwrite = overwrite
    this.#warn = warn
  }

  /**
   * Locks the outputs that exist already, and waits until nothing writes them on behalf of a run that is over.
   * @throws ConfigError `RUN_LOCKED`, naming the run that is writing one of them, or the processes that may still be
   */
  static async open(pipeline: PlannedPipeline, author: OutputAuthor, options: OutputOptions): Promise<RunOutputs> {
    await using open = new ResourceStack()
    const outputs = open.use(new RunOutputs(pipeline, author, options))
    const replaced = new Map<string, string | undefined>()
    for (const output of outputs.#all()) {
      await using array = await openOutput(output)
      // What is complete is not written any more.
      if (array === undefined || packedFileOf(array.path) !== undefined) continue
      replaced.set(array.path, await outputs.#replacedIn(array))
      await outputs.#lock(array, { replaces: replaced.get(array.path) })
    }
    await awaitLateWriters(replaced)
    open.move()
    return outputs
  }

  /** Aborted, with an InfrastructureError as reason, when an output was removed or taken by another run. */
  get lost(): AbortSignal {
    return this.#losing.signal
  }

  /**
   * Makes sure that the run replaces nothing that others have written, unless it was told to: an array that exists and contains data is
   * that of an earlier start of this run, or one that the task itself chose to write into.
   * @throws ConfigError `DATASET_EXISTS`, naming who wrote it
   */
  async assertOwn({ id, isResumed }: OutputClaim): Promise<void> {
    const run = this.#markedRun(id)
    for (const task of this.#tasks) {
      for (const output of task.outputs) {
        await using array = await openOutput(output)
        if (array === undefined || !needsOwner(task, output)) continue
        const mark = await readMark(array.path)
        if (mark !== undefined && isMarkOf(mark, run)) continue
        // Its mark was lost: the blocks are done again.
        if (mark === undefined && !task.isTransient && isResumed(task)) continue
        if ((await array.countStoredChunks?.({ limit: 1 }))?.stored === 0) {
          if (mark !== undefined) this.#warn(takenOver(output.path, mark))
          continue
        }
        throw new ConfigError('DATASET_EXISTS', refusal(task, output.path, mark))
      }
    }
  }

  /** Makes the outputs larger that are smaller than they have to be. Those that are missing stay so. */
  async enlarge(): Promise<void> {
    for (const output of this.#all()) {
      if (output.options.ifExists !== 'grow') continue
      const existing = await openOutput(output)
      if (existing === undefined) continue
      await existing[Symbol.asyncDispose]()
      await using _larger = await arrayStore.create(output.path, { ...output.options, fsync: this.#fsync })
    }
  }

  /** How an output of a task contradicts the record that its blocks are done: for people, or undefined if it doesn't. */
  async contradiction(
    task: PlannedTask,
    { id, lineage }: Pick<RunIdentity, 'id' | 'lineage'>,
  ): Promise<string | undefined> {
    const run = { ...this.#markedRun(id), lineage }
    for (const output of task.outputs) {
      await using array = await openOutput(output)
      if (array === undefined) return 'was removed after its blocks were done'
      const mark = await readMark(array.path)
      if (confirmsRecord(mark, run)) continue
      if (id !== undefined && mark?.id === id) return `${array.path} or its record was put back to an earlier state`
      return `${array.path} was written by another run, or replaced, after its blocks were done`
    }
    return undefined
  }

  /** What workers are told of the arrays that are marked. @param id in their marks */
  owned(id: string): NonNullable<WireTask['owns']> {
    return { id, outputs: [...this.#marked] }
  }

  /**
   * Creates the arrays that are missing, marks all of them as written by this run, and says in them what makes them.
   * @param id of its record
   * @param isDone whether all blocks of a task are recorded as done @default no
   * @param lineage of its record @default none
   * @throws ConfigError `RUN_LOCKED` if another run has started to write one of them meanwhile
   */
  async create(
    id: string,
    isDone: (task: PlannedTask) => boolean = () => false,
    lineage: LineageMark = {},
  ): Promise<void> {
    const { bellis: version, run, started } = this.#author
    for (const task of this.#tasks) {
      const made = provenanceOf(task, { version, run, record: id, started })
      for (const { path, options } of task.outputs) {
        const isReplaced = options.ifExists === 'replace'
        await using array = await arrayStore.create(path, { ...options, fsync: this.#fsync })
        if (packedFileOf(array.path) !== undefined) {
          if (isDone(task)) continue
          throw new ConfigError('DATASET_EXISTS', isComplete(array.path))
        }
        await this.#lock(array, { isReplaced })
        const mark = isReplaced ? undefined : await readMark(array.path)
        const isMarked = mark?.id === id
        // The record soon says that all outputs name this state of it.
        const fsync = this.#fsync || lineage.epoch !== undefined
        if (!isMarked) await writeMark(array.path, { id, ...this.#author, ...lineage }, fsync)
        else if (mark.epoch !== lineage.epoch) await markLineage(array.path, id, lineage, fsync)
        this.#marked.add(array.path)
        await noteStart(array, made, isMarked && isDone(task))
      }
    }
  }

  /** Says in the marks of the outputs which state of its record wrote them. @param id of the run's record */
  async markLineage(id: string, lineage: LineageMark, fsync: boolean): Promise<void> {
    for (const path of this.#marked) await markLineage(path, id, lineage, fsync)
  }

  /** Says in the marks of the outputs which leases hold; those in object stores say nothing. @param id of the run's record */
  fence(id: string): LeaseFence {
    const folders = [...this.#marked].filter((path) => !isObjectAddress(path))
    const before = folders.map((path) => leasesIn(path)?.from ?? 0)
    return {
      firstLease: Math.max(
        Math.floor(Date.now() / 1000) * LEASES_PER_SECOND,
        ...before.map((from) => from + LEASE_GAP),
      ),
      allow: (leases) => {
        for (const path of folders) markLeases(path, id, leases)
      },
    }
  }

  /** Says in the outputs of tasks that they are complete. @param id of the run's record @param ended ISO */
  async noteEnd(id: string, isDone: (task: PlannedTask) => boolean, ended: string): Promise<void> {
    for (const task of this.#tasks.filter(isDone)) {
      for (const { path } of task.outputs)
        if (packedFileOf(path) === undefined) await noteEnd(path, { record: id, ended, fsync: this.#fsync })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lock of this.#locks.values()) await lock[Symbol.asyncDispose]()
    this.#locks.clear()
  }

  #all(): readonly PlannedOutput[] {
    return this.#tasks.flatMap(({ outputs }) => outputs)
  }

  /** The id of the record in the mark of an array, if this run begins another one. */
  async #replacedIn({ path }: ChunkedArray): Promise<string | undefined> {
    const mark = await readMark(path)
    const isContinued = !this.#overwrite && mark !== undefined && isMarkOf(mark, this.#markedRun(undefined))
    return isContinued ? undefined : mark?.id
  }

  /**
   * @param options `isReplaced`: whether the folder that was locked is gone, and its lock with it; `replaces`: the id of the record that is
   * over, for the workers that it has left behind
   */
  async #lock({ path }: ChunkedArray, options: { isReplaced?: boolean; replaces?: string | undefined }): Promise<void> {
    const { isReplaced = false, replaces } = options
    const key = arrayStore.canonicalPath(path)
    if (isReplaced) this.#locks.get(key)?.abandon()
    else if (this.#locks.has(key)) return
    const { run, folder, command, started } = this.#author
    const about = { run, folder, command, started, ...(replaces === undefined ? {} : { replaces }) }
    const lock = await this.#takeLock(path, about).catch((error) => {
      throw lockError(path, error)
    })
    if (lock.status === 'held') throw new ConfigError('RUN_LOCKED', lockedBy(path, lock))
    this.#locks.set(key, lock)
    lock.lost.addEventListener('abort', () => this.#losing.abort(lock.lost.reason), { once: true })
  }

  /** Takes the lock of an output; one of an earlier start of this run, on a machine that shows no sign of life, after waiting for it. */
  async #takeLock(path: string, about: Readonly<Record<string, string>>): Promise<LockFile | HeldLockFile> {
    let lock = await takeLock(path, about)
    if (lock.status === 'taken' || !isEarlierStart(lock, this.#author)) return lock
    this.#warn(waitsFor(path, lock))
    for (let silentMs = 0; lock.status === 'held' && lock.silentMs >= silentMs; lock = await takeLock(path, about)) {
      silentMs = lock.silentMs
      await delay(LOOK_AGAIN_MS)
    }
    return lock
  }

  #markedRun(id: string | undefined): MarkedRun {
    const { run, folder } = this.#author
    return { id, run, folder }
  }
}

const takeLock = (path: string, about: Readonly<Record<string, string>>) =>
  isObjectAddress(path) ? takeArrayLock(path, about) : takeLockFile(join(path, LOCK_FILE), about)

/** Chunks of a transient array are removed, so they must be the run's own in any case. */
const needsOwner = ({ isTransient }: PlannedTask, { options, isChosen = false }: PlannedOutput): boolean =>
  options.ifExists !== 'replace' && (isTransient || !isChosen)

/** @returns undefined if it is missing: a precomputed volume may name a scale whose folder is gone, and with it all that was written */
async function openOutput({ path }: PlannedOutput): Promise<ChunkedArray | undefined> {
  const array = await arrayStore.open(path).catch((error) => {
    // A store that does not answer says nothing about what is there.
    if (isObjectAddress(path) && error instanceof InfrastructureError) throw error
    return undefined
  })
  if (array === undefined || isObjectAddress(path) || existsSync(array.path)) return array
  if (packedFileOf(array.path) !== undefined) return array
  await array[Symbol.asyncDispose]?.()
  return undefined
}

/**
 * Programs write arrays themselves, so their workers can't refuse a single write: they end them, which takes a moment.
 * @param replaced the record that is over in each array, if any
 * @throws ConfigError `RUN_LOCKED`
 */
async function awaitLateWriters(replaced: ReadonlyMap<string, string | undefined>): Promise<void> {
  // In an object store, workers find within a second that their run is over, and nobody leaves files there.
  const isTaken = [...replaced].some(([path, id]) => id !== undefined && isObjectAddress(path))
  if (isTaken) await delay(2 * KNOWN_MS)
  for (const start = performance.now(); ; await delay(LOOK_AGAIN_MS)) {
    const late: [string, LateWriter[]][] = []
    for (const [path, id] of replaced) {
      if (isObjectAddress(path)) continue
      const writers = await lateWriters(path, (record) => record === id)
      if (writers.length > 0) late.push([path, writers])
    }
    const [first] = late
    if (first === undefined) return
    const limit = late.some(([, writers]) => writers.some(({ isLeft }) => !isLeft)) ? LATE_WRITERS_MS : LEFT_PROGRAMS_MS
    if (performance.now() - start > limit) throw new ConfigError('RUN_LOCKED', stillWritten(...first))
  }
}

function stillWritten(path: string, writers: readonly LateWriter[]): string {
  const who = writers.map(({ host, pids }) => `process ${pids.join(', ')} on ${host}`).join('; ')
  return `${path} may still be written by programs of a run that is over (${who}); end them, or wait for them, then start again.`
}

export function lockedBy(path: string, { holder, silentMs = 0 }: Partial<HeldLockFile>): string {
  const wait = 'wait for it, or stop it.'
  if (holder === undefined) return `${path} is being written by another run; ${wait}`
  const who = describeMark({ run: '', ...holder.about })
  const message = `${path} is being written by ${who}, process ${holder.pid} on ${holder.host}; ${wait}`
  if (silentMs < 2 * BEAT_MS) return message
  return `${message} It gave its last sign of life ${showDuration(silentMs / 1000)} ago; if it was killed, start again in ${showDuration((STALE_MS - silentMs) / 1000)}.`
}

/** The run's own lock is held already, so an earlier start of it is over, unless locks do not reach from one machine to the other. */
const isEarlierStart = ({ holder, silentMs }: HeldLockFile, { run, folder }: OutputAuthor): boolean =>
  silentMs > 0 && holder?.about.run === run && holder.about.folder === folder

const waitsFor = (path: string, { holder, silentMs }: HeldLockFile): string =>
  `${path} is still locked by an earlier start of this run, process ${holder?.pid} on ${holder?.host}, which seems to have been killed: waiting up to ${showDuration((STALE_MS - silentMs) / 1000)} for a sign of life.`

function lockError(path: string, error: unknown): Error {
  const failure = systemFailure(error)
  if (isMissingFile(error)) {
    const message = `Can't lock ${path} for writing: it was removed while the run was starting; start it again.`
    return new InfrastructureError('IO_ERROR', message, { cause: error })
  }
  if (failure === undefined) return error as Error
  const { code, reason, remedy } = failure
  const message = `Can't lock ${path} for writing: ${reason}; ${remedy}.`
  return code === 'DISK_FULL'
    ? new InfrastructureError(code, message, { cause: error })
    : new ConfigError(code, message)
}

const isComplete = (path: string): string =>
  `${path} is complete, and its file is written once, so its blocks can't be done again; replace it (--overwrite), or write to another file.`

const takenOver = (path: string, mark: FoundMark): string =>
  `${path} was begun by ${describeMark(mark)}, which has written nothing yet; this run takes it over. Interrupt it if that is not meant.`

function refusal({ id, isTransient }: PlannedTask, path: string, mark: FoundMark | undefined): string {
  const author = mark === undefined ? '' : `, written by ${describeMark(mark)}`
  return isTransient
    ? `Task "${id}" is transient, so its output is removed at the end, but ${path} contains data that this run did not write${author}. Write to another path, or replace the data with --overwrite.`
    : `${path} contains data that this run did not write${author === '' ? ', and that no run of Bellis has marked' : author}; write to another path, or replace it with --overwrite.`
}
