import { hostname } from 'node:os'
import { basename } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import type { StoreStatus } from '../../core/events.ts'
import type { RunRecord } from '../../ports/progress-store.ts'
import { ProgressRecorder } from '../../runtime/coordinator/progress-recorder.ts'
import type { RunProgress } from '../../runtime/coordinator/run-options.ts'
import type { PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { hasOwnCheck } from '../../runtime/tasks/task-node.ts'
import { arrayStore } from '../arrays.ts'
import { systemClock } from '../clock.ts'
import { readMark, writeMark } from './output-marks.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { identityOf } from './run-place.ts'

/** A run whose progress is kept. Disposing writes what is left and lets the run go. */
export interface RecordedRun extends AsyncDisposable {
  readonly progress: RunProgress
  /** Whether an earlier start has done all there is: no worker is needed. */
  readonly isDone: boolean
  /** Makes an output's array, or opens it, and has it be this run's. */
  createOutputs(): Promise<void>
}

export interface RecordRunOptions {
  readonly folder: string
  readonly place: ProgressPlace
  readonly overwrite: boolean
  readonly fsync: boolean
  warn(message: string): void
}

/**
 * Opens the record of a run, or begins one.
 * @returns undefined where none is to be kept
 * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`, `RUN_LOCKED`; InfrastructureError when the store can't be used
 */
export async function recordRun(
  pipeline: PlannedPipeline,
  { folder, place, overwrite, fsync, warn }: RecordRunOptions,
): Promise<RecordedRun | undefined> {
  const store = await openProgressStore(place, folder, fsync)
  if (store === undefined) return undefined
  await using open = new AsyncDisposableStack()
  if (typeof place !== 'object') open.use(store)
  const run = recordName(store, folder)
  const lock = await store.lock?.(run, { host: hostname(), pid: process.pid, since: Date.now() })
  if (lock !== undefined) open.use(lock)
  const marks = basename(folder)
  await assertOwnTransients(pipeline, { overwrite, marks })
  if (overwrite) await store.remove(run)
  const failing = new AbortController()
  const link = new LinkRelay()
  const record = open.use(await store.open(identityOf(pipeline, run), { onStatus: link.send }))
  await distrust(pipeline, record, marks, warn)
  const recorder = open.use(
    await ProgressRecorder.load(record, { clock: systemClock, onError: (error) => failing.abort(error) }),
  )
  const failed = lock === undefined ? failing.signal : AbortSignal.any([failing.signal, lock.lost])
  const held = open.move()
  return {
    progress: { recorder, failed, onRecordStatus: link.listen },
    isDone: pipeline.tasks.every(
      (task, number) => !hasOwnCheck(task.source) && recorder.completedCount(number) === task.grid.blockCount,
    ),
    async createOutputs() {
      await createOutputs(pipeline, fsync)
      for (const path of await outputPaths(pipeline.tasks)) if (readMark(path) !== marks) writeMark(path, marks)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/**
 * Refuses to have what others wrote removed: a transient array that holds chunks must have got them from this run.
 * @param options.marks of this run, where it is recorded: then it knows its own
 * @throws ConfigError `DATASET_EXISTS`
 */
export async function assertOwnTransients(
  { tasks }: PlannedPipeline,
  { overwrite, marks }: { readonly overwrite: boolean; readonly marks?: string },
): Promise<void> {
  if (overwrite) return
  for (const task of tasks.filter(({ isTransient }) => isTransient)) {
    for (const { path } of task.outputs) {
      await using array = (await arrayStore.open(path).catch(() => undefined)) ?? null
      if (array === null) continue
      const mark = readMark(array.path)
      if (mark !== undefined && mark === marks) continue
      if ((await array.countStoredChunks?.())?.stored === 0) continue
      throw new ConfigError(
        'DATASET_EXISTS',
        `Task "${task.id}" is transient: what is in its output is removed, but ${path} holds what this run did not write. Let it write to another path, or replace what is there (--overwrite).`,
      )
    }
  }
}

/** Makes the outputs of every task that are not there. */
export async function createOutputs(pipeline: PlannedPipeline, fsync = false): Promise<void> {
  for (const { path, options } of pipeline.tasks.flatMap((task) => task.outputs)) {
    await (await arrayStore.create(path, { ...options, fsync }))[Symbol.asyncDispose]()
  }
}

/**
 * What a record calls done is in the outputs that it was written for. Where one was removed, or another run wrote it since,
 * the blocks of its task are forgotten, before anything else is written.
 */
async function distrust(
  pipeline: PlannedPipeline,
  record: RunRecord,
  marks: string,
  warn: (message: string) => void,
): Promise<void> {
  const lost = new Set<string>()
  for (const [number, task] of pipeline.tasks.entries()) {
    let hasPages = false
    for await (const _ of record.completedPages(number)) {
      hasPages = true
      break
    }
    if (!hasPages) continue
    const paths = await outputPaths([task])
    const strange = paths.find((path) => readMark(path) !== marks)
    if (strange === undefined && paths.length === task.outputs.length) continue
    lost.add(task.id)
    // Of a transient one nothing is missed, where all who read it are done.
    if (task.isTransient) continue
    const what = strange === undefined ? 'was removed' : `${strange} was written by another run, or made anew,`
    warn(`${task.id}: its output ${what} since its blocks were done; all of them are done again.`)
  }
  // What they read of transient tasks may be gone, and what those have read.
  for (const task of pipeline.tasks.toReversed()) {
    const isRead = pipeline.tasks.some(({ id, after }) => lost.has(id) && after.includes(task.id))
    if (task.isTransient && isRead) lost.add(task.id)
  }
  // Upstream first: wherever this is cut short, nothing is left undone of which the input is taken for done.
  for (const [number, { id }] of pipeline.tasks.entries()) if (lost.has(id)) await record.clear(number)
}

/** Where the arrays are that tasks write, of those that are there. */
async function outputPaths(tasks: readonly PlannedTask[]): Promise<string[]> {
  const paths: string[] = []
  for (const { path } of tasks.flatMap((task) => task.outputs)) {
    const array = await arrayStore.open(path).catch(() => undefined)
    if (array === undefined) continue
    paths.push(array.path)
    await array[Symbol.asyncDispose]()
  }
  return paths
}

/** Passes on what a store says of its link, also what it said before anyone listened. */
class LinkRelay {
  #last: StoreStatus | undefined
  #receive: ((link: StoreStatus) => void) | undefined
  readonly send = (link: StoreStatus): void => {
    this.#last = link
    this.#receive?.(link)
  }
  readonly listen = (receive: (link: StoreStatus) => void): void => {
    this.#receive = receive
    if (this.#last !== undefined && this.#last.status !== 'back') receive(this.#last)
  }
}
