import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { RunPicture } from '../../core/board/run-picture.ts'
import type { FailureSummary } from '../../core/board/summary.ts'
import { ConfigError } from '../../core/errors.ts'
import type { ProgressPlace } from './progress-place.ts'
import { type RunDocument, readRunDocument, runHolderOf } from './run-folder.ts'
import { HistoryReader } from './run-history.ts'
import { type RunState, readRunState } from './run-state.ts'

export interface FollowOptions {
  /** Where the run's progress is kept, if not where the run says. */
  readonly place?: ProgressPlace | undefined
  /** This process runs it: it is on. @default false */
  readonly isOwn?: boolean
}

/** Whether a run is on is asked at most so often: it takes a lock for a moment. */
const HOLDER_MS = 1000
/** Pieces of its history that are read before others get a turn. */
const PIECES_PER_TURN = 4

/** A picture of a run that is kept up to date from the run's folder, and only read there. */
export class RunFollower implements Disposable {
  readonly folder: string
  readonly #options: FollowOptions
  #document: RunDocument
  #version: string
  #picture: RunPicture
  #reader: HistoryReader
  #checkedAt = Number.NEGATIVE_INFINITY
  #starts = 0
  /** How many starts there were when the end was last compared with the record. */
  #settled = -1
  #catching: Promise<void> | undefined

  /** @throws ConfigError `NO_SUCH_FILE` where the folder is no run's */
  constructor(folder: string, options: FollowOptions = {}) {
    const document = readRunDocument(folder)
    if (document === undefined) {
      throw new ConfigError(
        'NO_SUCH_FILE',
        `${folder} is not the folder of a run; bellis runs lists those that there are.`,
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

  /** Another one when a start has replaced the run's tasks: `picture`, too, is another then. */
  get document(): RunDocument {
    return this.#document
  }

  get version(): string {
    return this.#version
  }

  get picture(): RunPicture {
    return this.#picture
  }

  /** Brings the picture up to date. */
  catchUp(): Promise<void> {
    this.#catching ??= this.#catchUp().finally(() => {
      this.#catching = undefined
    })
    return this.#catching
  }

  async #catchUp(): Promise<void> {
    if (!this.#options.isOwn && !this.#lookAtDocument()) return
    await this.#readAll()
    if (this.#options.isOwn) return
    const now = performance.now()
    if (now - this.#checkedAt < HOLDER_MS) return
    this.#checkedAt = now
    if (runHolderOf(this.folder) !== undefined || this.#settled === this.#starts) return
    // What it wrote last before it ended.
    await this.#readAll()
    const starts = this.#starts
    const state = await this.#readState()
    await this.#readAll()
    if (state === undefined || starts !== this.#starts) return
    this.#settled = starts
    this.#settle(state)
  }

  /** A start that overwrites may have other grids, and a folder may go while somebody looks. @returns false where it is gone */
  #lookAtDocument(): boolean {
    const document = readRunDocument(this.folder)
    if (document === undefined) {
      this.#picture.remove()
      return false
    }
    const version = versionOf(document)
    if (this.#picture.condition === 'removed' || version !== this.#version) {
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
      // That it is not on is known also while its record can't be reached.
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
      begin: (time, done) => {
        this.#starts++
        picture.begin(time, done)
      },
      blocks: (frame, time, worker) => picture.blocks(frame, time, worker),
      event: (event, time) => picture.event(event, time),
      note: (task, indices, ms, worker) => picture.note(task, indices, ms, worker),
    })
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
  }
}

/** Names a run's tasks and grids, and what they read and write. */
export const versionOf = ({ tasks }: RunDocument): string =>
  createHash('sha256').update(JSON.stringify(tasks)).digest('hex').slice(0, 16)

const pictureOf = ({ tasks }: RunDocument): RunPicture =>
  new RunPicture(tasks.map(({ id, after, grid, transient = false }) => ({ id, after, ...grid, transient })))
