import type { WireError } from '../errors.ts'
import type { VoxelPlacement } from '../geometry/placement.ts'
import type { Roi } from '../geometry/roi.ts'
import type { WorldUnit } from '../geometry/world-unit.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import type { Units } from '../workers/resource-units.ts'

/** Increased when the meaning of a message changes. Each side refuses any other version. */
export const PROTOCOL_VERSION = 2

/** The longest line before the other side has proved itself, in bytes. */
export const MAX_UNPROVED_BYTES = 8192
/** The longest line after that, in bytes. */
export const MAX_LINE_BYTES = 8_388_608
/** How deep the values of a message may be nested. */
export const MAX_DEPTH = 64
/**
 * The most leases that a worker holds at a time. So when a lease arrives, all leases except it and the previous one are
 * settled: their outcomes have arrived, so the worker need not keep them in case the connection breaks.
 */
export const MAX_LEASES = 2
/** The value of BELLIS_CONTEXT for a program that talks to its coordinator over standard input and output. */
export const STDIO_CONTEXT = 'stdio:'

/** A task as a worker needs it: its code, its configuration, and the grid that turns an index into Rois. */
export interface WireTask {
  readonly id: string
  /** URL of the module that exports the definition; `bellis:` and a path for one of Bellis's own; '' if there is none. */
  readonly module: string
  /** The definition's `name`. */
  readonly name: string
  /** JSON; the worker checks it again with the task's schema. */
  readonly config: unknown
  /** The folder in which the run was started; relative paths in `config` start there. */
  readonly folder?: string
  /** The unit of the Rois, and of the arrays that the worker opens. */
  readonly unit: WorldUnit
  /** Where the voxels of the array that its blocks write are, for workers that open arrays with libraries of their own. */
  readonly voxels?: VoxelPlacement
  /** Absent if every lease contains its Rois. */
  readonly grid?: BlockGridOptions
  /** A block is reported only when its output is on the disk. */
  readonly fsync?: boolean
  /** The arrays that the run created, as its tasks name them, and the id in their marks: a worker writes to them only while they have it. */
  readonly owns?: { readonly id: string; readonly outputs: readonly string[] }
  /** The units of counted resources, such as GPUs, that only this worker may use. */
  readonly resources?: Units
}

/** The two Rois of a block, in the task's unit. */
export interface WireRois {
  readonly read: Roi
  readonly write: Roi
}

/** How far a lease that survived a broken connection had been reported. */
export interface KnownLease {
  readonly lease: number
  /** The number of outcomes that have arrived; the next one to send is that of the block with this position. */
  readonly reported: number
}

/** Why a worker was refused. Trying again makes sense only after the last two. */
export type RefusalCode = 'UNAUTHORIZED' | 'PROTOCOL_ERROR' | 'RUN_OVER' | 'TOO_MANY_CONNECTIONS' | 'TOO_LATE'

/** The first message of a connection over a network, by the worker. Nothing in it is secret. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  /** 256 random bits of this connection alone, hexadecimal. */
  readonly nonce: string
}

/** The coordinator's answer to `hello`. */
export interface Challenge {
  readonly type: 'challenge'
  readonly protocol: number
  /** 256 random bits of this connection alone, hexadecimal. */
  readonly nonce: string
  /** Shows that the coordinator knows the token. */
  readonly proof: string
}

/** The worker's answer to `challenge`: shows that it knows the token, too. */
export interface Proof {
  readonly type: 'proof'
  readonly proof: string
}

export type ServerMessage =
  /** The answer to `join`. */
  | {
      readonly type: 'welcome'
      readonly protocol: number
      readonly workerId: string
      /** Sent when it joins again, to be the same worker. */
      readonly session: string
      /** The interval of heartbeats while nothing else is sent, in milliseconds; 0 for none. */
      readonly heartbeatMs: number
      /** The leases named in `join` that are still valid; the others are revoked. */
      readonly leases: readonly KnownLease[]
    }
  /** Sent before the first lease of a task. May be sent again, with the same contents. */
  | { readonly type: 'task'; readonly task: WireTask }
  /** Blocks to do, in this order. Leases are done in the order in which they arrive. */
  | {
      readonly type: 'lease'
      readonly lease: number
      readonly taskId: string
      readonly blocks: readonly number[]
      /** One per block, if the worker asked for them when it joined. */
      readonly rois?: readonly WireRois[]
    }
  /** The lease was given to other workers: stop working on it, then answer `dropped`. Outcomes of it are ignored. */
  | { readonly type: 'revoked'; readonly lease: number }
  /** The answer to a heartbeat. */
  | { readonly type: 'heartbeat' }
  /** Finish the running block, return the others, say goodbye. */
  | { readonly type: 'drain' }
  /** The last message of a connection: why it is refused. */
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly message: string }

/** How one block of a lease ended. */
export type Outcome =
  | { readonly status: 'done'; readonly ms: number }
  /** The task's check found that it was done already. */
  | { readonly status: 'skipped' }
  | { readonly status: 'failed'; readonly ms: number; readonly error: WireError }
  /** Not started, or abandoned in an orderly way: no attempt is counted. */
  | { readonly status: 'returned' }

/** The resources that a worker has used. */
export interface WorkerUsage {
  /** Voxels read from arrays and written to them since it got its name, in bytes. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** Peak memory of its process, in bytes; 0 if the process is shared with other workers. */
  readonly peakMemory: number
}

/** The first message of a worker to a coordinator that it trusts: over a network, after both have proved themselves. */
export interface Join {
  readonly type: 'join'
  readonly protocol: number
  /** The name and session of a worker that was started with a name, or that reconnects. */
  readonly worker?: string
  readonly session?: string
  /** The leases of which a reconnecting worker still holds blocks or outcomes. Absent if it starts from scratch. */
  readonly leases?: readonly number[]
  readonly pid: number
  readonly host: string
  /** Asks for the Rois of the blocks in every lease. @default false */
  readonly rois?: boolean
  /** Of a program over standard input and output: it takes leases of several blocks. @default false: one block per lease */
  readonly batches?: boolean
  /** The only task that the worker does, if the tasks of the run have workers of their own. @default the first such task */
  readonly task?: string
}

export type WorkerMessage =
  | Join
  /** The task's module is loaded and its `setup` has returned. */
  | { readonly type: 'task-ready'; readonly taskId: string }
  /** Outcomes of the next blocks of a lease, in order. A lease may be reported in parts. */
  | { readonly type: 'outcomes'; readonly lease: number; readonly outcomes: readonly Outcome[] }
  /** The resources that this worker has used so far. */
  | ({ readonly type: 'usage' } & WorkerUsage)
  /** The task can't be set up here: its module can't be loaded, or its `setup` threw. The worker leaves. */
  | { readonly type: 'setup-failed'; readonly taskId: string; readonly error: WireError }
  /** The running block advances, though it has not ended. */
  | { readonly type: 'progress' }
  /** Work on a revoked lease has stopped. */
  | { readonly type: 'dropped'; readonly lease: number }
  | { readonly type: 'heartbeat' }
  /** The last message of a worker: everything was returned. */
  | { readonly type: 'goodbye' }
