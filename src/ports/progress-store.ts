import type { WireError } from '../core/errors.ts'
import type { StoreStatus } from '../core/events.ts'
import type { Lineage } from '../core/progress/lineage.ts'
import type { RecordedTask, RunIdentity } from '../core/progress/run-identity.ts'

/** One failed attempt at a block. Here and below, `task` is the task's place in the run's identity. */
export interface FailedAttempt {
  readonly task: number
  readonly block: number
  /** From 1 on; starts at 1 again when the run is continued. */
  readonly attempt: number
  /** No further attempt followed in that run: the block failed. It is attempted again when the run is continued. */
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

/** What one commit writes. A failed attempt replaces an earlier one with the same block and number. */
export interface ProgressBatch {
  /** Complete pages, at most one per place; they replace the stored ones. They may gain bits while they are being written. */
  readonly pages: readonly BitmapPage[]
  readonly failedAttempts: readonly FailedAttempt[]
}

/** A run's record for reading, during the run or later. A read of a page sees complete commits, never a part of one. */
export interface RunReader extends AsyncDisposable {
  readonly identity: RunIdentity
  /** The pages of a task that have finished blocks, ascending. */
  completedPages(task: number): AsyncIterable<BitmapPage>
  /** Of one task, in the order in which they were recorded; for every block, the last one of each number. */
  failedAttempts(task: number): AsyncIterable<FailedAttempt>
}

/**
 * A run's record for its only writer, the process that holds the run. A bit is set only after the block's output has
 * reached the file system, so the record is correct at whatever moment its writer dies.
 */
export interface RunRecord extends RunReader {
  /**
   * Resolves when the batch is durable. While a server is lost, it waits until the server is back.
   * @param options `signal` ends the waiting
   * @throws InfrastructureError `DISK_FULL`, `READ_ONLY`, `IO_ERROR`, `CONNECTION_LOST` (after `signal`): nothing that was
   * recorded before is lost, and the same batch may be committed again
   */
  commit(batch: ProgressBatch, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Forgets that blocks are done, and their failed attempts; resolves when the disk itself has forgotten it. @param blocks in any order @default all of the task */
  clear(task: number, blocks?: Iterable<number>): Promise<void>
  /** Gives an id to a record that has none. It is part of the identity of every later reader. */
  identify(id: string): Promise<void>
  /**
   * From now on, the record is in another state; it is part of the identity of every later reader. Resolves when that, and everything that
   * was committed or cleared before, is on the disk itself.
   * @param options `signal` ends the waiting for a server that is lost
   */
  continueAs(lineage: Lineage, options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Resolves when everything committed so far is on the disk itself, so that it survives a power cut.
   * @param options `signal` ends the waiting for a server that is lost
   * @throws InfrastructureError as `commit`
   */
  sync(options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface OpenRecordOptions {
  /** Called when a server is slow or lost, and when it is back; commits wait in between. Never called by a store without a server. */
  readonly onStatus?: (link: StoreStatus) => void
}

/** Who holds the lock of a run. */
export interface LockOwner {
  readonly host: string
  readonly pid: number
  /** Tells machines of the same name apart, and process ids in containers; absent in locks of version 0.1.0. */
  readonly machine?: string
  /** When the process was started, since process ids are used again. */
  readonly processStart?: string
  /** When it was taken, milliseconds since 1970. */
  readonly since: number
}

/** The lock of a run; disposing releases it. */
export interface RunLock extends AsyncDisposable {
  /** Aborted, with an InfrastructureError as reason, when another process has taken the run over. */
  readonly lost: AbortSignal
}

/** A place for the records of runs. Disposing closes it, and the records that were opened there. */
export interface ProgressStore extends AsyncDisposable {
  /** For users, without credentials: a file, or the address of a server and its database. */
  readonly name: string
  /**
   * Opens the record of a run, and creates it if there is none. An existing record keeps its id, whatever that of `identity` is: the
   * identity of the result has the recorded one.
   * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`: it is the record of other tasks, and is left unchanged;
   * `UNSUPPORTED`: written by a newer Bellis; InfrastructureError `READ_ONLY`, `DISK_FULL`, `IO_ERROR`, `CORRUPT_DATA`,
   * `CONNECTION_LOST`
   */
  open(identity: RunIdentity, options?: OpenRecordOptions): Promise<RunRecord>
  /** Opens the record of a run for reading, even while it is being written. @returns undefined if there is none */
  read(run: string): Promise<RunReader | undefined>
  /** The names of the runs that have a record here and whose names end in a text, sorted. A store of one run does not need it. */
  find?(ending: string): Promise<string[]>
  /**
   * Gives the tasks of a record other grids: in one step, so that whoever reads it, or the next start after a kill, finds all of the old
   * record or all of the new one. Failed attempts are forgotten, all else stays. Resolves when the disk itself has it. Absent if the store
   * can't do that.
   * @param tasks those of the record, with their new grids
   * @param completed for each task, which blocks of the new grid are done, as a bitmap
   */
  carryOver?(run: string, tasks: readonly RecordedTask[], completed: readonly Uint8Array[]): Promise<void>
  /** Removes a run's record; a missing one is no error. */
  remove(run: string): Promise<void>
  /**
   * Locks a run, so that no other process writes its record. A store in the run's folder has no `lock`: the folder itself is
   * locked. A lock is taken over if its holder sends no heartbeats. From then on, nothing that an earlier holder writes counts, even if
   * it is on its way already.
   * @param hasEnded whether a holder is known to have ended, so that its lock is taken over at once
   * @throws ConfigError `RUN_LOCKED`, naming who holds it
   */
  lock?(run: string, owner: LockOwner, hasEnded: (holder: LockOwner) => Promise<boolean>): Promise<RunLock>
}
