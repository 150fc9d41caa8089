/** The data by which a restarted coordinator recognizes a worker that reconnects. */
export interface SavedSession {
  readonly number: number
  readonly key: string
  readonly host: string
  /** Whether the run started it, for example through a batch system. */
  readonly wasLaunched: boolean
  readonly leases: readonly {
    readonly id: number
    readonly taskId: string
    readonly blocks: readonly number[]
    readonly reported: number
  }[]
}

/** The workers that hold blocks at some moment. */
export interface SavedSessions {
  readonly nextWorker: number
  readonly nextLease: number
  readonly sessions: readonly SavedSession[]
}

/** Stores the saved sessions. */
export interface SessionKeeper {
  /** The sessions of an earlier start that did not reach its end. */
  readonly saved?: SavedSessions
  /** Never throws: without saved sessions, blocks are only done again. */
  save(sessions: SavedSessions): void
}
