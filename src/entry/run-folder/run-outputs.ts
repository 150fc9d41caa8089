import { basename } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
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

/** The arrays that a run creates, or continues to write. */
export class RunOutputs {
  readonly #tasks: readonly PlannedTask[]
  readonly #author: OutputAuthor
  readonly #fsync: boolean

  constructor({ tasks }: PlannedPipeline, author: OutputAuthor, { fsync = false } = {}) {
    this.#tasks = tasks
    this.#author = author
    this.#fsync = fsync
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

  /** Creates the arrays that are missing, and marks all of them as written by this run. @param id of its record */
  async create(id: string): Promise<void> {
    for (const { path, options } of this.#tasks.flatMap(({ outputs }) => outputs)) {
      await using array = await arrayStore.create(path, { ...options, fsync: this.#fsync })
      if (array.format === 'memory' || readMark(array.path)?.id === id) continue
      writeMark(array.path, { id, ...this.#author }, this.#fsync)
    }
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

function refusal({ id, isTransient }: PlannedTask, path: string, mark: FoundMark | undefined): string {
  const author = mark === undefined ? '' : `, written by ${describeMark(mark)}`
  return isTransient
    ? `Task "${id}" is transient, so its output is removed at the end, but ${path} contains data that this run did not write${author}. Write to another path, or replace the data with --overwrite.`
    : `${path} contains data that this run did not write${author === '' ? ', and that no run of Bellis has marked' : author}; write to another path, or replace it with --overwrite.`
}
