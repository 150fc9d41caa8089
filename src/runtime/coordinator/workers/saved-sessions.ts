/** What a coordinator that is started again needs to recognize a worker that reconnects by itself. */
export interface SavedSession {
  readonly number: number
  readonly key: string
  readonly host: string
  /** Whether the run had it started, for example by a batch system. */
  readonly wasLaunched: boolean
  readonly leases: readonly {
    readonly id: number
    readonly taskId: string
    readonly blocks: readonly number[]
    readonly reported: number
  }[]
}

/** The workers that hold blocks, at some moment. */
export interface SavedSessions {
  readonly nextWorker: number
  readonly nextLease: number
  readonly sessions: readonly SavedSession[]
}

/** Stores the saved sessions. */
export interface SessionKeeper {
  /** Those of an earlier start that did not reach its end. */
  readonly saved?: SavedSessions
  /** Never throws: without saved sessions blocks are merely done again. */
  save(sessions: SavedSessions): void
}
