import { basename } from 'node:path'
import { RunPicture } from '../core/board/run-picture.ts'
import type { FailureSummary } from '../core/board/summary.ts'
import { ConfigError } from '../core/errors.ts'
import type { ProgressPlace } from './progress-place.ts'
import { type RunDocument, readRunDocument, runHolderOf } from './run-folder.ts'
import { HistoryReader } from './run-history.ts'
import { readRunState } from './run-state.ts'

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
  readonly document: RunDocument
  readonly picture: RunPicture
  readonly #options: FollowOptions
  readonly #reader: HistoryReader
  #checkedAt = Number.NEGATIVE_INFINITY
  #starts = 0
  /** The start whose end was compared with the record; 0 before the first. */
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
    this.document = document
    this.#options = options
    const picture = new RunPicture(
      document.tasks.map(({ id, after, grid, transient = false }) => ({ id, after, ...grid, transient })),
    )
    this.picture = picture
    this.#reader = new HistoryReader(folder, {
      begin: (time, done) => {
        this.#starts++
        picture.begin(time, done)
      },
      blocks: (frame, time, worker) => picture.blocks(frame, time, worker),
      event: (event, time) => picture.event(event, time),
      note: (task, indices, ms, worker) => picture.note(task, indices, ms, worker),
    })
  }

  get run(): string {
    return basename(this.folder)
  }

  /** Brings the picture up to date. */
  catchUp(): Promise<void> {
    this.#catching ??= this.#catchUp().finally(() => {
      this.#catching = undefined
    })
    return this.#catching
  }

  async #catchUp(): Promise<void> {
    await this.#readAll()
    if (this.#options.isOwn) return
    const now = performance.now()
    if (now - this.#checkedAt < HOLDER_MS) return
    this.#checkedAt = now
    if (runHolderOf(this.folder) !== undefined || this.#settled === this.#starts) return
    // What it wrote last before it ended.
    await this.#readAll()
    const starts = this.#starts
    const state = await readRunState(this.folder, { place: this.#options.place, limit: 1000 })
    await this.#readAll()
    if (state === undefined || starts !== this.#starts) return
    this.#settled = starts
    const failures = state.tasks.flatMap((task, number) =>
      task.failures.map(
        ({ block, error, attempt, workerId, time }): FailureSummary => ({
          ...{ task: number, index: block, message: error.message, code: error.code },
          ...{ attempts: attempt, workerId, time },
        }),
      ),
    )
    this.picture.settle(
      state.tasks.map(({ done }) => (done.length === 0 ? undefined : done)),
      failures,
    )
  }

  async #readAll(): Promise<void> {
    for (let pieces = 1; this.#reader.readOn(); pieces++) {
      if (pieces % PIECES_PER_TURN === 0) await new Promise((resume) => setImmediate(resume))
    }
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]()
  }
}
