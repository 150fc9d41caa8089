import type { RunCondition, TaskCounts } from '../events.ts'
import type { BlockGridOptions } from '../grid/grid-options.ts'
import type { View } from '../view/view.ts'
import type { MapGrid } from './cell-map.ts'

// The data for a run's page: built on the machine with the run's folder, drawn in the browser.

/** The data that stay the same during a run; requested once. */
export interface RunDescription {
  /** Identifies the tasks and their grids. It changes if a start replaces them, which makes the page outdated. */
  readonly version: string
  /** The name of its folder. */
  readonly run: string
  /** What it does: its command, or the names of its tasks. */
  readonly title: string
  readonly folder: string
  /** ISO time. */
  readonly created: string
  /** The command line of its first start, for a shell; absent for runs of earlier versions. */
  readonly startedWith?: string
  /** The working directory of that start. */
  readonly directory: string
  /** The arrays that it reads from outside, and those that it keeps, as far as they are declared. */
  readonly inputs: readonly DatasetPath[]
  readonly outputs: readonly DatasetPath[]
  /** Topologically ordered: every task comes after those it depends on. */
  readonly tasks: readonly DescribedBoardTask[]
  /** The command that shows this page again. */
  readonly command: string
}

/** A dataset as the user gave it, and where it is. */
export interface DatasetPath {
  readonly name: string
  readonly path: string
}

export interface DescribedBoardTask {
  readonly id: string
  readonly after: readonly string[]
  readonly blocks: number
  /** The unit of Rois. */
  readonly unit: 'nm' | 'pm' | 'fm'
  readonly grid: BlockGridOptions
  /** What the map shows: blocks, or cells of several blocks if there are too many. */
  readonly map: MapGrid
  readonly config?: Readonly<Record<string, unknown>>
}

export interface TaskSummary extends TaskCounts {
  /** Recent blocks per second. */
  readonly rate: number
  /** Mean duration of a block; absent before the first one is done. */
  readonly meanMs?: number
  /** Blocks per second in each step of the series. */
  readonly series: readonly number[]
  /** Why the task was abandoned. */
  readonly error?: string
}

export interface WorkerSummary {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly status: 'busy' | 'idle' | 'ended'
  /** Its current block. */
  readonly task?: number
  readonly block?: number
  /** When it started that block, milliseconds since 1970. */
  readonly since?: number
  /** Blocks that it has completed or skipped. */
  readonly done: number
  /** How long it has been connected, and how much of that it has spent in blocks. */
  readonly seconds: number
  readonly workingSeconds: number
  /** Of its process, bytes; absent while it is not known. */
  readonly peakMemory?: number
  readonly hasLog: boolean
  /** Why it ended, if it died. */
  readonly reason?: string
}

export interface FailureSummary {
  readonly task: number
  readonly index: number
  readonly message: string
  readonly code: string
  readonly attempts: number
  readonly workerId: string
  /** Milliseconds since 1970. */
  readonly time: number
}

/** One line for the list of events: a worker died, an attempt failed, the progress store can't be reached. */
export interface Note {
  readonly time: number
  readonly text: string
}

/** The data that change during a run. */
export interface RunSummary {
  readonly condition: RunCondition
  /** Whether the run's folder was removed; all other fields then have their last known values. */
  readonly isRemoved: boolean
  /** When this summary was made, milliseconds since 1970, by the clock of the run. */
  readonly now: number
  /** When the run was last started. */
  readonly started?: number
  /** When it ended, or when it was last heard of if it ended unexpectedly; absent while it is running. */
  readonly ended?: number
  /** From its start until now, or until its end. */
  readonly seconds: number
  readonly etaSeconds?: number
  readonly tasks: readonly TaskSummary[]
  readonly stepSeconds: number
  /** Busy workers first; at most {@link MAX_WORKERS}. */
  readonly workers: readonly WorkerSummary[]
  readonly workerCounts: { readonly busy: number; readonly idle: number; readonly ended: number }
  /** The latest first; at most {@link MAX_FAILURES}. */
  readonly failures: readonly FailureSummary[]
  /** The latest first. */
  readonly notes: readonly Note[]
  /** Changes if the view has new layers or another contrast. */
  readonly volumes: number
  /** Whether the page may stop the run, change its workers and so on. @default false */
  readonly control?: boolean
}

export const MAX_WORKERS = 200
export const MAX_FAILURES = 200
export const MAX_NOTES = 50
/** Longest error or note in a summary, characters; the full text is requested separately. */
export const MAX_MESSAGE = 600

/** One block, requested when the user points at it. */
export interface BlockDetails {
  readonly workerId?: string
  readonly ms?: number
  readonly error?: string
  readonly attempts?: number
}

/** One failed attempt at a block; all of a block are requested when its details are opened. */
export interface AttemptDetails {
  /** From 1 on. */
  readonly attempt: number
  readonly workerId: string
  readonly host: string
  /** When it failed, milliseconds since 1970. */
  readonly time: number
  readonly durationMs: number
  readonly code: string
  readonly message: string
  readonly stack?: string
  /** How long the log of the worker was then, bytes; absent if it is not known. */
  readonly logBytes?: number
}

/** The layers of a run's volumes (those that it reads come first) and of its blocks' states. */
export interface DashboardView extends View {
  readonly outputs: readonly OutputLayer[]
  readonly states: readonly StatesLayer[]
}

/** The layer and level that a task writes. */
export interface OutputLayer {
  readonly task: number
  /** Number of the layer, and the level in its pyramid. */
  readonly layer: number
  readonly level: number
  /** Start of voxel 0 and size of a voxel, in the task's unit, slowest axis first, without channels. */
  readonly offset: readonly number[]
  readonly voxelSize: readonly number[]
}

/** The states of a task's blocks as a volume of one voxel per block. */
export interface StatesLayer {
  readonly task: number
  readonly name: string
  readonly source: string
  /** Voxels per chunk, slowest axis first. */
  readonly chunkShape: readonly number[]
}
