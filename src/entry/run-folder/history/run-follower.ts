import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { RunPicture } from '../../../core/board/run-picture.ts'
import type { FailureSummary } from '../../../core/board/summary.ts'
import { ConfigError } from '../../../core/errors.ts'
import { ownCommand } from '../../own-command.ts'
import type { ProgressPlace } from '../progress-place.ts'
import { readMasks } from '../run-files.ts'
import { type RunDocument, readRunDocument, runHolderOf } from '../run-folder.ts'
import { type RunState, readRunState } from '../run-state.ts'
import { HistoryReader } from './history-reader.ts'

export interface FollowOptions {
  /** Where the run's progress is kept. @default the place recorded with the run */
  readonly place?: ProgressPlace | undefined
  /** Whether this process runs it, so that it is known to be running. @default false */
  readonly isOwn?: boolean
}

/** Shortest time between checks of whether the run is running: each takes the lock for a moment. */
const HOLDER_MS = 1000
/** Pieces of the history that are read before the event loop continues. */
const PIECES_PER_TURN = 4

/** A picture of a run, kept up to date from the run's folder. It only reads there. */
export class RunFollower implements Disposable {
  readonly folder: string
  readonly #options: FollowOptions
  #document: RunDocument
  #version: string
  #picture: RunPicture
  #reader: HistoryReader
  #checkedAt = Number.NEGATIVE_INFINITY
  #starts = 0
  /** The number of starts when the picture was last reconciled with the record. */
  #settled = -1
  #update: Promise<void> | undefined
  #now = (): number => Date.now()

  /** @throws ConfigError `NO_SUCH_FILE` if the folder is not that of a run */
  constructor(folder: string, options: FollowOptions = {}) {
    const document = readRunDocument(folder)
    if (document === undefined) {
      throw new ConfigError(
        'NO_SUCH_FILE',
        `${folder} is not the folder of a run; ${ownCommand('runs')} lists the runs here.`,
      )
    }
    this.folder = folder
    this.#options = options
    this.#document = document
    this.#version = versionOf(document)
    this.#picture = pictureOf(document)
    this.#reader = this.#readerOf(this.#picture)
  }

  get run(): string {
    return basename(this.folder)
  }

  /** Replaced, like `picture`, if a start replaces the run's tasks. */
  get document(): RunDocument {
    return this.#document
  }

  get version(): string {
    return this.#version
  }

  get picture(): RunPicture {
    return this.#picture
  }

  /** The present time of the run, as its picture counts it. Setting the clock of the machine does not change it. */
  now(): number {
    return this.#now()
  }

  /** Updates the picture. */
  catchUp(): Promise<void> {
    this.#update ??= this.#catchUp().finally(() => {
      this.#update = undefined
    })
    return this.#update
  }

  async #catchUp(): Promise<void> {
    if (!this.#options.isOwn && !this.#readDocument()) return
    await this.#readAll()
    if (this.#options.isOwn) return
    const now = performance.now()
    if (now - this.#checkedAt < HOLDER_MS) return
    this.#checkedAt = now
    if (runHolderOf(this.folder) !== undefined || this.#settled === this.#starts) return
    // Read what it wrote last before it ended.
    await this.#readAll()
    const starts = this.#starts
    const state = await this.#readState()
    await this.#readAll()
    if (state === undefined || starts !== this.#starts) return
    this.#settled = starts
    this.#settle(state)
  }

  /** A start that overwrites may have other grids, and the folder may be removed at any time. @returns false if it was removed */
  #readDocument(): boolean {
    const document = readRunDocument(this.folder)
    if (document === undefined) {
      this.#picture.end(true)
      return false
    }
    const version = versionOf(document)
    if (this.#picture.isRemoved || version !== this.#version) {
      this.#reader[Symbol.dispose]()
      this.#document = document
      this.#version = version
      this.#picture = pictureOf(document)
      this.#reader = this.#readerOf(this.#picture)
      this.#starts = 0
      this.#settled = -1
    }
    return true
  }

  async #readState(): Promise<RunState | undefined> {
    try {
      return await readRunState(this.folder, { place: this.#options.place, limit: 1000 })
    } catch (error) {
      // The run has ended, even if its record can't be reached.
      this.#picture.end()
      throw error
    }
  }

  #settle({ tasks, isRecorded }: RunState): void {
    if (!isRecorded) {
      this.#picture.end()
      return
    }
    const failures = tasks.flatMap((task, number) =>
      task.failures.map(
        ({ block, error, attempt, workerId, time }): FailureSummary => ({
          ...{ task: number, index: block, message: error.message, code: error.code },
          ...{ attempts: attempt, workerId, time },
        }),
      ),
    )
    this.#picture.settle(
      tasks.map(({ done }) => (done.length === 0 ? undefined : done)),
      failures,
    )
  }

  async #readAll(): Promise<void> {
    for (let pieces = 1; this.#reader.readOn(); pieces++) {
      if (pieces % PIECES_PER_TURN === 0) await new Promise((resume) => setImmediate(resume))
    }
  }

  #readerOf(picture: RunPicture): HistoryReader {
    return new HistoryReader(this.folder, {
      begin: (time, done, now) => {
        // Of the last start, which is the one that is shown.
        const masks = readMasks(this.folder)
        this.#starts++
        this.#now = now
        picture.begin(
          time,
          done,
          done.map((_, task) => masks(task)),
        )
      },
      blocks: (frame, time, worker) => picture.blocks(frame, time, worker),
      event: (event, time) => picture.event(event, time),
      keepTimes: (task, indices, ms, worker) => picture.history.add(task, indices, ms, worker),
    })
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
  }
}

/** Identifies a run's tasks, their grids, inputs and outputs. */
export const versionOf = ({ tasks }: RunDocument): string =>
  createHash('sha256').update(JSON.stringify(tasks)).digest('hex').slice(0, 16)

const pictureOf = ({ tasks }: RunDocument): RunPicture =>
  new RunPicture(tasks.map(({ id, after, grid, transient = false }) => ({ id, after, ...grid, transient })))
