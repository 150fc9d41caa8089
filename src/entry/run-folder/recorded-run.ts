import { hostname } from 'node:os'
import { basename } from 'node:path'
import { ConfigError } from '../../core/errors.ts'
import type { StoreStatus } from '../../core/events.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import type { RunRecord } from '../../ports/progress-store.ts'
import { ProgressRecorder } from '../../runtime/coordinator/progress-recorder.ts'
import type { RunProgress } from '../../runtime/coordinator/run-options.ts'
import type { PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { hasOwnCheck } from '../../runtime/tasks/task-node.ts'
import { arrayStore } from '../arrays.ts'
import { systemClock } from '../clock.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { readMark, writeMark } from './run-files.ts'
import { identityOf } from './run-place.ts'

/** A run whose progress is recorded. Disposing writes what is buffered and unlocks the run. */
export interface RecordedRun extends AsyncDisposable {
  readonly progress: RunProgress
  /** Whether earlier starts completed every block, so that no worker is needed. */
  readonly isDone: boolean
  /** Creates the output arrays that are missing, and marks all of them as written by this run. */
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
 * Opens the record of a run, or creates one.
 * @returns undefined if progress is not recorded
 * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`, `RUN_LOCKED`; InfrastructureError if the store can't be used
 */
export async function recordRun(
  pipeline: PlannedPipeline,
  { folder, place, overwrite, fsync, warn }: RecordRunOptions,
): Promise<RecordedRun | undefined> {
  const store = await openProgressStore(place, folder, fsync)
  if (store === undefined) return undefined
  await using open = new ResourceStack()
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
  await forgetLostOutputs(pipeline, record, marks, warn)
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
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

/**
 * Makes sure that a run removes only what it wrote: chunks in a transient array must have been written by this run.
 * @param options.marks the mark of this run in its outputs; undefined if it is not recorded
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
        `Task "${task.id}" is transient, so its output is removed at the end, but ${path} contains data that this run did not write. Write to another path, or replace the data with --overwrite.`,
      )
    }
  }
}

/** Creates the outputs of all tasks that are missing. */
export async function createOutputs(pipeline: PlannedPipeline, fsync = false): Promise<void> {
  for (const { path, options } of pipeline.tasks.flatMap((task) => task.outputs)) {
    await (await arrayStore.create(path, { ...options, fsync }))[Symbol.asyncDispose]()
  }
}

/**
 * Forgets the recorded blocks of every task with an output that was removed, or written by another run, since they were done. This comes
 * before anything else is written.
 */
async function forgetLostOutputs(
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
    const foreign = paths.find((path) => readMark(path) !== marks)
    if (foreign === undefined && paths.length === task.outputs.length) continue
    lost.add(task.id)
    // A transient output may be missing: it is not needed if all tasks that read it are done.
    if (task.isTransient) continue
    const what = foreign === undefined ? 'was removed' : `${foreign} was written by another run, or replaced,`
    warn(`${task.id}: its output ${what} after its blocks were done; all of them are done again.`)
  }
  // Their transient inputs may have been removed, and the transient inputs of those.
  for (const task of pipeline.tasks.toReversed()) {
    const isRead = pipeline.tasks.some(({ id, after }) => lost.has(id) && after.includes(task.id))
    if (task.isTransient && isRead) lost.add(task.id)
  }
  // Upstream tasks first: if this is interrupted, no task is recorded as not done while its missing input is recorded as done.
  for (const [number, { id }] of pipeline.tasks.entries()) if (lost.has(id)) await record.clear(number)
}

/** The paths of the existing arrays that tasks write. */
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

/** Passes on the status of a store's connection, including the last one from before there was a listener. */
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
