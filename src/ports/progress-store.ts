import type { WireError } from '../core/errors.ts'
import type { StoreStatus } from '../core/events.ts'
import type { RunIdentity } from '../core/progress/run-identity.ts'

/** One try of a block that failed. `task` is, here and below, the place of a task in the run's identity. */
export interface FailedTry {
  readonly task: number
  readonly block: number
  /** From 1 on; counted again from 1 when the run is continued. */
  readonly attempt: number
  /** No further try followed in that run: the block failed. It is tried again when the run is continued. */
  readonly isFinal: boolean
  readonly error: WireError
  readonly workerId: string
  readonly host: string
  readonly durationMs: number
  /** When it failed, milliseconds since 1970. */
  readonly time: number
}

/**
 * A part of a task's bitmap of finished blocks: bit i % 8 (lowest first) of byte floor(i / 8) is block
 * `page * PAGE_BLOCKS + i`. A page has 8192 bytes, a task's last one only those that it needs.
 */
export interface BitmapPage {
  readonly task: number
  readonly page: number
  readonly bits: Uint8Array
}

/** What is written in one go. */
export interface ProgressBatch {
  /** Whole pages, at most one for each place; they replace what is there. They may gain bits while they are written. */
  readonly pages: readonly BitmapPage[]
  readonly failedTries: readonly FailedTry[]
}

/** What a run's record says, while it is written or long after. Every read sees whole commits of a page, never half a one. */
export interface RunReader extends AsyncDisposable {
  readonly identity: RunIdentity
  /** The pages of a task that have finished blocks, ascending. */
  completedPages(task: number): AsyncIterable<BitmapPage>
  /** Of one task, in the order in which they were recorded. */
  failedTries(task: number): AsyncIterable<FailedTry>
}

/**
 * A run's record for its one writer: who holds the run. A page's bit is only set after the block's output reached the file
 * system, so what a record says is true, whenever its writer dies.
 */
export interface RunRecord extends RunReader {
  /**
   * Resolves when the batch is durable. Where a server is lost it waits until that is back.
   * @param options `signal` ends the waiting
   * @throws InfrastructureError `DISK_FULL`, `READ_ONLY`, `IO_ERROR`, `CONNECTION_LOST` (after `signal`): nothing that was
   * recorded before is lost, and the same batch may be committed again
   */
  commit(batch: ProgressBatch, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Forgets that blocks are done, and their failed tries. @param blocks in any order @default all of the task */
  clear(task: number, blocks?: Iterable<number>): Promise<void>
}

export interface OpenRecordOptions {
  /** Told when a server is slow or lost, and then when it is back: commits wait in between. Never called by a store without a server. */
  readonly onStatus?: (link: StoreStatus) => void
}

/** Who holds a run. */
export interface LockOwner {
  readonly host: string
  readonly pid: number
  /** When it was taken, milliseconds since 1970. */
  readonly since: number
}

/** A run that is held; disposing lets it go. */
export interface RunLock extends AsyncDisposable {
  /** Aborted, with an InfrastructureError as reason, when another process has taken the run over. */
  readonly lost: AbortSignal
}

/** A place for the records of runs. Disposing closes it, and the records that were opened there. */
export interface ProgressStore extends AsyncDisposable {
  /** For people, without credentials: a file, or the address of a server and its database. */
  readonly name: string
  /**
   * Opens the record of a run, and makes it if there is none.
   * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`: it is the record of something else, and stays as it is;
   * `UNSUPPORTED`: written by a newer Bellis; InfrastructureError `READ_ONLY`, `DISK_FULL`, `IO_ERROR`, `CORRUPT_DATA`,
   * `CONNECTION_LOST`
   */
  open(identity: RunIdentity, options?: OpenRecordOptions): Promise<RunRecord>
  /** Opens the record of a run for reading, also while its writer goes on. @returns undefined if there is none */
  read(run: string): Promise<RunReader | undefined>
  /** Removes a run's record; none is no error. */
  remove(run: string): Promise<void>
  /**
   * Holds a run so that no other process writes its record, where that is the store's part: a store in the run's folder
   * leaves it to who holds the folder. A lock whose holder shows no sign of life is taken over.
   * @throws ConfigError `RUN_LOCKED`, naming who holds it
   */
  lock?(run: string, owner: LockOwner): Promise<RunLock>
}
