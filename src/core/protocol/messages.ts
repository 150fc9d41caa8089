import type { WireError } from '../errors.ts'
import type { Roi } from '../geometry/roi.ts'
import type { WorldUnit } from '../geometry/world-unit.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import type { Units } from '../workers/resource-units.ts'

/** Raised when a message changes its meaning; both sides refuse another one. */
export const PROTOCOL_VERSION = 1

/** The longest line before a connection has said a good hello, in bytes. */
export const MAX_HELLO_BYTES = 65_536
/** The longest line after it, in bytes. */
export const MAX_LINE_BYTES = 8_388_608
/** How deep the values of a message may lie in each other. */
export const MAX_DEPTH = 64
/**
 * The most leases that a worker holds at a time. So when one comes, all but it and the one before it are settled: their
 * outcomes have arrived, and need not be kept for a link that breaks.
 */
export const MAX_LEASES = 2
/** What BELLIS_CONTEXT is for a program whose coordinator is at its standard input and output. */
export const STDIO_CONTEXT = 'stdio:'

/** A task as a worker needs it: where its code is, its configuration, and the grid that turns an index into Rois. */
export interface WireTask {
  readonly id: string
  /** URL of the module that exports the definition; `bellis:` and a path for one of Bellis's own; '' where there is none. */
  readonly module: string
  /** The definition's `name`. */
  readonly name: string
  /** JSON; checked again by the worker's own schema. */
  readonly config: unknown
  /** Where the run was started: what relative paths in `config` start from. */
  readonly folder?: string
  /** What the Rois count, and what the worker's arrays are opened in. */
  readonly unit: WorldUnit
  /** Absent where every lease comes with its Rois. */
  readonly grid?: BlockGridOptions
  /** Report a block when what it wrote is on the disk itself. */
  readonly fsync?: boolean
  /** Of the resources that the task requires and the run counts, those that are this worker's alone. */
  readonly resources?: Units
}

/** The two Rois of a block, in the task's unit. */
export interface WireRois {
  readonly read: Roi
  readonly write: Roi
}

/** How far a lease that survived a broken link had been reported. */
export interface KnownLease {
  readonly lease: number
  /** Outcomes that have arrived; the next one that is sent is that of the block at this place. */
  readonly reported: number
}

/** Why a worker was not let in, or is sent away. Only after the last two does it make sense to try again. */
export type RefusalCode = 'UNAUTHORIZED' | 'PROTOCOL_ERROR' | 'RUN_OVER' | 'TOO_MANY_CONNECTIONS'

export type ServerMessage =
  /** The answer to `hello`. */
  | {
      readonly type: 'welcome'
      readonly protocol: number
      readonly workerId: string
      /** Shown in later hellos, it makes this the same worker. */
      readonly session: string
      /** How often to send a heartbeat while nothing else is sent. */
      readonly heartbeatMs: number
      /** Of the leases that hello named, those that still hold; the others are revoked. */
      readonly leases: readonly KnownLease[]
    }
  /** Comes before the first lease of a task; may come again, and then says nothing new. */
  | { readonly type: 'task'; readonly task: WireTask }
  /** Blocks to do, in this order; leases are done in the order they come. */
  | {
      readonly type: 'lease'
      readonly lease: number
      readonly taskId: string
      readonly blocks: readonly number[]
      /** As many as blocks, for a worker whose hello asked for them. */
      readonly rois?: readonly WireRois[]
    }
  /** The lease went to others: stop working on it, then answer `dropped`. What is reported of it changes nothing. */
  | { readonly type: 'revoked'; readonly lease: number }
  /** The answer to a heartbeat. */
  | { readonly type: 'heartbeat' }
  /** Finish the running block, give the others back, say goodbye. */
  | { readonly type: 'drain' }
  /** The last message of a connection: what was wrong with it. */
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly message: string }

/** How one block of a lease ended. */
export type Outcome =
  | { readonly status: 'done'; readonly ms: number }
  /** Its check said that it was done already. */
  | { readonly status: 'skipped' }
  | { readonly status: 'failed'; readonly ms: number; readonly error: WireError }
  /** Not begun, or given up in an orderly way: not a try. */
  | { readonly status: 'returned' }

/** What a worker has needed. */
export interface WorkerUsage {
  /** Voxels read from arrays and written to them since it was let in under its name, bytes. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** The most memory that its process had, bytes; 0 where that says nothing of it. */
  readonly peakMemory: number
}

/** The first message of every connection. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  /** What the run's context says; needed wherever workers come in over a network. */
  readonly token?: string
  /** The worker that this is, with its session: one that was started with a name, or that comes back. */
  readonly worker?: string
  readonly session?: string
  /** Of a worker that comes back: the leases that it still has something of. Absent: it begins anew and has nothing. */
  readonly leases?: readonly number[]
  readonly pid: number
  readonly host: string
  /** Leases are to come with the Rois of their blocks. @default false */
  readonly rois?: boolean
}

export type WorkerMessage =
  | Hello
  /** The task's module was loaded and its `setup` has returned. */
  | { readonly type: 'task-ready'; readonly taskId: string }
  /** Outcomes of the next blocks of a lease, in its order; a lease may be reported in parts. */
  | { readonly type: 'outcomes'; readonly lease: number; readonly outcomes: readonly Outcome[] }
  /** What this worker has needed so far. */
  | ({ readonly type: 'usage' } & WorkerUsage)
  /** The task can't be set up here: its module does not load, or its `setup` threw. The worker leaves. */
  | { readonly type: 'setup-failed'; readonly taskId: string; readonly error: WireError }
  /** Work on a revoked lease has stopped. */
  | { readonly type: 'dropped'; readonly lease: number }
  | { readonly type: 'heartbeat' }
  /** The last message: everything was handed back. */
  | { readonly type: 'goodbye' }
