import { basename, join } from 'node:path'
import { type LockFile, type LockHolder, takeLockFile } from '../../adapters/zarr/lock-file.ts'
import { ConfigError, InfrastructureError } from '../../core/errors.ts'
import type { WireTask } from '../../core/protocol/messages.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { systemFailure } from '../../core/system-errors.ts'
import type { ChunkedArray } from '../../ports/chunked-array.ts'
import type { PlannedOutput, PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { arrayStore } from '../arrays.ts'
import {
  confirmsRecord,
  describeMark,
  type FoundMark,
  isMarkOf,
  type MarkedRun,
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

/** In the folder of an output while a run is writing it: who does. */
const LOCK_FILE = '.bellis-lock'

/**
 * The arrays that a run creates, or continues to write. While they are open, no other run can write them. Disposing releases them.
 */
export class RunOutputs implements AsyncDisposable {
  readonly #tasks: readonly PlannedTask[]
  readonly #author: OutputAuthor
  readonly #fsync: boolean
  readonly #locks = new Map<string, LockFile>()
  readonly #losing = new AbortController()

  private constructor({ tasks }: PlannedPipeline, author: OutputAuthor, fsync = false) {
    this.#tasks = tasks
    this.#author = author
    this.#fsync = fsync
  }

  /**
   * Locks the outputs that exist already.
   * @throws ConfigError `RUN_LOCKED`, naming the run that is writing one of them
   */
  static async open(
    pipeline: PlannedPipeline,
    author: OutputAuthor,
    options: { readonly fsync?: boolean | undefined },
  ): Promise<RunOutputs> {
    await using open = new ResourceStack()
    const outputs = open.use(new RunOutputs(pipeline, author, options.fsync))
    for (const output of outputs.#all()) {
      await using array = await openOutput(output)
      if (array !== undefined) await outputs.#lock(array)
    }
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
        const mark = readMark(array.path)
        if (mark !== undefined && isMarkOf(mark, run)) continue
        // Its mark was lost: the blocks are done again.
        if (mark === undefined && !task.isTransient && isResumed(task)) continue
        if ((await array.countStoredChunks?.({ limit: 1 }))?.stored === 0) continue
        throw new ConfigError('DATASET_EXISTS', refusal(task, output.path, mark))
      }
    }
  }

  /** How an output of a task contradicts the record that its blocks are done: for people, or undefined if it doesn't. */
  async contradiction(task: PlannedTask, id: string | undefined): Promise<string | undefined> {
    const run = this.#markedRun(id)
    for (const output of task.outputs) {
      await using array = await openOutput(output)
      if (array === undefined) return 'was removed'
      if (!confirmsRecord(readMark(array.path), run)) return `${array.path} was written by another run, or replaced,`
    }
    return undefined
  }

  /** What workers are told of them. @param id in their marks */
  owned(id: string): NonNullable<WireTask['owns']> {
    return { id, outputs: this.#all().map(({ path }) => path) }
  }

  /**
   * Creates the arrays that are missing, marks all of them as written by this run, and says in them what makes them.
   * @param id of its record
   * @param isDone whether all blocks of a task are recorded as done @default no
   * @throws ConfigError `RUN_LOCKED` if another run has started to write one of them meanwhile
   */
  async create(id: string, isDone: (task: PlannedTask) => boolean = () => false): Promise<void> {
    const { bellis: version, run, started } = this.#author
    for (const task of this.#tasks) {
      const made = provenanceOf(task, { version, run, record: id, started })
      for (const { path, options } of task.outputs) {
        const isReplaced = options.ifExists === 'replace'
        await using array = await arrayStore.create(path, { ...options, fsync: this.#fsync })
        await this.#lock(array, isReplaced)
        const isMarked = !isReplaced && readMark(array.path)?.id === id
        if (!isMarked) writeMark(array.path, { id, ...this.#author }, this.#fsync)
        await noteStart(array, made, isMarked && isDone(task))
      }
    }
  }

  /** Says in the outputs of tasks that they are complete. @param id of the run's record @param ended ISO */
  async noteEnd(id: string, isDone: (task: PlannedTask) => boolean, ended: string): Promise<void> {
    for (const task of this.#tasks.filter(isDone)) {
      for (const { path } of task.outputs) await noteEnd(path, id, ended)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const lock of this.#locks.values()) await lock[Symbol.asyncDispose]()
    this.#locks.clear()
  }

  #all(): readonly PlannedOutput[] {
    return this.#tasks.flatMap(({ outputs }) => outputs)
  }

  /** @param isReplaced whether the folder that was locked is gone, and its lock with it */
  async #lock({ path }: ChunkedArray, isReplaced = false): Promise<void> {
    const key = arrayStore.canonicalPath(path)
    if (isReplaced) this.#locks.get(key)?.abandon()
    else if (this.#locks.has(key)) return
    const { run, folder, command, started } = this.#author
    const lock = await takeLockFile(join(path, LOCK_FILE), { run, folder, command, started }).catch((error) => {
      throw lockError(path, error)
    })
    if (lock.status === 'held') throw new ConfigError('RUN_LOCKED', lockedBy(path, lock.holder))
    this.#locks.set(key, lock)
    lock.lost.addEventListener('abort', () => this.#losing.abort(lock.lost.reason), { once: true })
  }

  #markedRun(id: string | undefined): MarkedRun {
    const { run, folder } = this.#author
    return { id, run, folder }
  }
}

/** Chunks of a transient array are removed, so they must be the run's own in any case. */
const needsOwner = ({ isTransient }: PlannedTask, { options, isChosen = false }: PlannedOutput): boolean =>
  options.ifExists !== 'replace' && (isTransient || !isChosen)

const openOutput = ({ path }: PlannedOutput): Promise<ChunkedArray | undefined> =>
  arrayStore.open(path).catch(() => undefined)

function lockedBy(path: string, holder: LockHolder | undefined): string {
  if (holder === undefined) return `${path} is being written by another run; wait for it, or stop it.`
  const who = describeMark({ run: '', ...holder.about })
  return `${path} is being written by ${who}, process ${holder.pid} on ${holder.host}; wait for it, or stop it.`
}

function lockError(path: string, error: unknown): Error {
  const failure = systemFailure(error)
  if (failure === undefined) return error as Error
  const { code, reason, remedy } = failure
  const message = `Can't lock ${path} for writing: ${reason}; ${remedy}.`
  return code === 'DISK_FULL'
    ? new InfrastructureError(code, message, { cause: error })
    : new ConfigError(code, message)
}

function refusal({ id, isTransient }: PlannedTask, path: string, mark: FoundMark | undefined): string {
  const author = mark === undefined ? '' : `, written by ${describeMark(mark)}`
  return isTransient
    ? `Task "${id}" is transient, so its output is removed at the end, but ${path} contains data that this run did not write${author}. Write to another path, or replace the data with --overwrite.`
    : `${path} contains data that this run did not write${author === '' ? ', and that no run of Bellis has marked' : author}; write to another path, or replace it with --overwrite.`
}
