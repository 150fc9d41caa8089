import type { WireError } from '../errors.ts'
import type { WorldUnit } from '../geometry/placement.ts'
import type { BlockGridOptions } from '../grid/block-grid.ts'

/** Raised when a message changes its meaning; both sides refuse another one. */
export const PROTOCOL_VERSION = 1

/** A task as a worker needs it: where its code is, its configuration, and the grid that turns an index into Rois. */
export interface WireTask {
  readonly id: string
  /** URL of the module that exports the definition. */
  readonly module: string
  /** The definition's `name`. */
  readonly name: string
  /** JSON; checked again by the worker's own schema. */
  readonly config: unknown
  /** What the Rois count, and what the worker's arrays are opened in. */
  readonly unit: WorldUnit
  readonly grid: BlockGridOptions
}

export type ServerMessage =
  /** The answer to `hello`. */
  | { readonly type: 'welcome'; readonly protocol: number; readonly workerId: string }
  /** Comes before the first lease of a task. */
  | { readonly type: 'task'; readonly task: WireTask }
  /** Blocks to do, in this order; leases are done in the order they come. */
  | { readonly type: 'lease'; readonly lease: number; readonly taskId: string; readonly blocks: readonly number[] }
  /** Finish the running block, give the others back, say goodbye. */
  | { readonly type: 'drain' }

/** How one block of a lease ended. */
export type Outcome =
  | { readonly status: 'done'; readonly ms: number }
  /** Its check said that it was done already. */
  | { readonly status: 'skipped' }
  | { readonly status: 'failed'; readonly ms: number; readonly error: WireError }
  /** Not begun, or given up in an orderly way: not a try. */
  | { readonly status: 'returned' }

export type WorkerMessage =
  | { readonly type: 'hello'; readonly protocol: number; readonly pid: number; readonly host: string }
  /** The task's module was loaded and its `setup` has returned. */
  | { readonly type: 'task-ready'; readonly taskId: string }
  /** Outcomes of the next blocks of the oldest unfinished lease, in its order; a lease may be reported in parts. */
  | { readonly type: 'outcomes'; readonly lease: number; readonly outcomes: readonly Outcome[] }
  /** The task can't be set up here: its module does not load, or its `setup` threw. The worker leaves. */
  | { readonly type: 'setup-failed'; readonly taskId: string; readonly error: WireError }
  /** The last message: everything was handed back. */
  | { readonly type: 'goodbye' }
