import type { TaskCounts } from '../events.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import type { View } from '../view/view.ts'
import type { MapGrid } from './cell-map.ts'

// What the dashboard's page is told of a run: made where the run's folder is, drawn in the browser.

/** What never changes of a run: asked for once. */
export interface RunDescription {
  /** Names the tasks and their grids: another one where a start has replaced them, and all that is shown is another run's. */
  readonly version: string
  /** The name of its folder. */
  readonly run: string
  readonly folder: string
  readonly created: string
  /** In an order in which each comes after those it waits for. */
  readonly tasks: readonly DescribedBoardTask[]
  /** The command that shows this page again. */
  readonly command: string
}

export interface DescribedBoardTask {
  readonly id: string
  readonly after: readonly string[]
  readonly blocks: number
  /** What Rois count. */
  readonly unit: 'nm' | 'pm' | 'fm'
  readonly grid: BlockGridOptions
  /** What states are told of: its blocks, or cells of several blocks where there are too many. */
  readonly map: MapGrid
}

/**
 * `waiting`: no start of it was seen. `on`, and how it ended: `done`, `failed` (blocks failed or were orphaned), `stopped`, or `killed`: it
 * ended without a word. `removed`: its folder is gone.
 */
export type RunCondition = 'waiting' | 'on' | 'done' | 'failed' | 'stopped' | 'killed' | 'removed'

export interface TaskSummary extends TaskCounts {
  /** Blocks per second, lately. */
  readonly rate: number
  /** How long a block takes, on average; absent before the first. */
  readonly meanMs?: number
  /** Blocks per second in each step of the series. */
  readonly series: readonly number[]
  /** Why it was given up. */
  readonly error?: string
}

export interface WorkerSummary {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly status: 'busy' | 'idle' | 'ended'
  /** What it is at. */
  readonly task?: number
  readonly block?: number
  /** Since when it is, milliseconds since 1970. */
  readonly since?: number
  /** Blocks that it has done. */
  readonly done: number
  readonly hasLog: boolean
  /** How it ended, where that was no orderly way. */
  readonly reason?: string
}

export interface FailureSummary {
  readonly task: number
  readonly index: number
  readonly message: string
  readonly code: string
  readonly attempts: number
  readonly workerId: string
  /** When, milliseconds since 1970. */
  readonly time: number
}

/** Something to be told in a line: a worker that died, a try that failed, a store that can't be reached. */
export interface Note {
  readonly time: number
  readonly text: string
}

/** What changes all the time. */
export interface RunSummary {
  readonly condition: RunCondition
  /** When it was made, milliseconds since 1970, by the clock of the run. */
  readonly now: number
  /** When the run was started the last time. */
  readonly started?: number
  /** Since then, until now or its end. */
  readonly seconds: number
  readonly etaSeconds?: number
  readonly tasks: readonly TaskSummary[]
  readonly stepSeconds: number
  /** Those that are at work first; at most {@link MAX_WORKERS}. */
  readonly workers: readonly WorkerSummary[]
  readonly workerCounts: { readonly busy: number; readonly idle: number; readonly ended: number }
  /** The latest first; at most {@link MAX_FAILURES}. */
  readonly failures: readonly FailureSummary[]
  /** The latest first. */
  readonly notes: readonly Note[]
  /** Raised when layers of the volume have come, or their contrast is another. */
  readonly volumes: number
}

export const MAX_WORKERS = 200
export const MAX_FAILURES = 200
export const MAX_NOTES = 50
/** Of an error or a note, letters that are told again and again; the whole is asked for. */
export const MAX_MESSAGE = 600

/** One block, asked for when somebody points at it. */
export interface BlockDetails {
  readonly workerId?: string
  readonly ms?: number
  readonly error?: string
  readonly attempts?: number
}

/** The layers of a run's volumes, those that it writes behind those that it reads, and those of its blocks' states. */
export interface DashboardView extends View {
  readonly outputs: readonly OutputLayer[]
  readonly states: readonly StatesLayer[]
}

/** Which part of which layer a task writes. */
export interface OutputLayer {
  readonly task: number
  /** Its place among the layers, and the level of its pyramid. */
  readonly layer: number
  readonly level: number
  /** Where voxel 0 begins and what a voxel measures, in the task's unit, slowest axis first, without channels. */
  readonly offset: readonly number[]
  readonly voxelSize: readonly number[]
}

/** The states of a task's blocks as a volume of one voxel per block. */
export interface StatesLayer {
  readonly task: number
  readonly name: string
  readonly source: string
  /** Of a chunk, voxels, slowest axis first. */
  readonly chunkShape: readonly number[]
}
