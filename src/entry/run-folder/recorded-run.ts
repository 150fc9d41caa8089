import { randomUUID } from 'node:crypto'
import { hasEnded, identityOfProcess } from '../../adapters/files/process-identity.ts'
import { ConfigError } from '../../core/errors.ts'
import type { StoreStatus } from '../../core/events.ts'
import { ResourceStack } from '../../core/resource-stack.ts'
import { countSetBits, unitedBits } from '../../core/scheduling/bitmap.ts'
import type { ProgressStore, RunReader, RunRecord } from '../../ports/progress-store.ts'
import { ProgressRecorder, readCompleted, readFailedBlocks } from '../../runtime/coordinator/progress-recorder.ts'
import type { RunProgress } from '../../runtime/coordinator/run-options.ts'
import type { PlannedPipeline, PlannedTask } from '../../runtime/tasks/planned-task.ts'
import { hasOwnCheck } from '../../runtime/tasks/task-node.ts'
import { systemClock } from '../clock.ts'
import { describeGrowth, growthOfRun, type RunGrowth } from './growth/run-growth.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { KeptLineage } from './provenance/record-lineage.ts'
import { dropLeases } from './run-files.ts'
import type { OutputClaim, RunOutputs } from './run-outputs.ts'
import { identityOf } from './run-place.ts'
import { onlyBlocks } from './selection/only-blocks.ts'

/** A run whose progress is recorded. Disposing writes what is buffered. */
export interface RecordedRun extends AsyncDisposable {
  readonly progress: RunProgress
  /** The id of its record, which its outputs are marked with. */
  readonly id: string
  /** The pipeline, with the blocks that this start leaves out. */
  readonly pipeline: PlannedPipeline
  /** Whether no block is to be done, so that no worker is needed. */
  readonly isDone: boolean
  /** Creates the output arrays that are missing, and marks all of them as written by this run. */
  createOutputs(): Promise<void>
  /** Tells what was done from all states before, so that none of them is believed if record or outputs are put back. Never rejects. */
  noteEnd(): Promise<void>
}

export interface RecordRunOptions {
  readonly outputs: RunOutputs
  readonly folder: string
  readonly place: ProgressPlace
  readonly overwrite: boolean
  readonly fsync: boolean
  /** The blocks that this start does. @default all */
  readonly only?: string | undefined
  /** Whether the record is carried over if the volume has grown. */
  readonly grow: boolean
  warn(message: string): void
}

/** The place of a run's record. Disposing closes it and unlocks the run. */
export interface RecordPlace extends AsyncDisposable {
  /** What `open` will carry over to a volume that has grown; undefined if it hasn't, or if that was not asked for. */
  readonly growth: RunGrowth | undefined
  /**
   * Opens the record, or creates one; with `overwrite`, after removing the old one. Nothing is forgotten or written before this.
   * @throws ConfigError `GRID_MISMATCH`, `CONFIG_MISMATCH`; InfrastructureError if the store can't be used
   */
  open(): Promise<RecordedRun>
}

/**
 * Opens the place of a run's record, locks the run there, and checks that its outputs are its own. Writes nothing.
 * @returns undefined if progress is not recorded
 * @throws ConfigError `RUN_LOCKED`, `DATASET_EXISTS`; InfrastructureError if the store can't be used
 */
export async function openRecordPlace(
  pipeline: PlannedPipeline,
  options: RecordRunOptions,
): Promise<RecordPlace | undefined> {
  const { folder, place, overwrite, fsync, outputs } = options
  const store = await openProgressStore(place, folder, fsync)
  if (store === undefined) {
    if (!overwrite) await outputs.assertOwn({ id: undefined, isResumed: () => false })
    return undefined
  }
  await using open = new ResourceStack()
  if (typeof place !== 'object') open.use(store)
  const run = await recordName(store, folder)
  const lock = await store.lock?.(run, { ...identityOfProcess(), since: Date.now() }, hasEnded)
  if (lock !== undefined) open.use(lock)
  if (!overwrite) await outputs.assertOwn(await claimOf(pipeline, store, run))
  const growth = options.grow && !overwrite ? await growthIn(pipeline, store, run, folder) : undefined
  const held = open.move()
  return {
    growth,
    async open() {
      if (overwrite) await store.remove(run)
      if (growth !== undefined) await carryOver(store, growth, { ...options, run })
      return openRecord(pipeline, store, { ...options, run, lost: lock?.lost })
    },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

/** @throws ConfigError `GRID_MISMATCH`; `UNSUPPORTED` for a store of the user that can't carry a record over */
async function growthIn(
  pipeline: PlannedPipeline,
  store: ProgressStore,
  run: string,
  folder: string,
): Promise<RunGrowth | undefined> {
  await using reader = await store.read(run)
  const growth = reader === undefined ? undefined : await growthOfRun(pipeline, reader, folder)
  if (growth === undefined || store.carryOver !== undefined) return growth
  throw new ConfigError(
    'UNSUPPORTED',
    `The volume has grown, and the store of its progress, ${store.name}, has no carryOver; add it, or start again with --overwrite.`,
  )
}

/**
 * Carries a record over to a volume that has grown. The outputs come first: until the record says otherwise, it belongs to the smaller volume,
 * and a start that follows a kill does all this again.
 */
async function carryOver(
  store: ProgressStore,
  growth: RunGrowth,
  { run, folder, outputs, warn }: RecordRunOptions & { readonly run: string },
): Promise<void> {
  warn(describeGrowth(growth))
  // Blocks that workers of earlier starts hold are named by their place in the earlier grid.
  if (folder !== '') dropLeases(folder, () => true)
  await outputs.enlarge()
  await store.carryOver?.(run, growth.recorded, growth.completed)
}

/** What the record of a run says before it is opened for writing. */
async function claimOf({ tasks }: PlannedPipeline, store: ProgressStore, run: string): Promise<OutputClaim> {
  await using reader = await store.read(run)
  if (reader === undefined) return { id: undefined, isResumed: () => false }
  const resumed = new Set<string>()
  for (const [number, { id }] of tasks.entries()) if (await hasCompleted(reader, number)) resumed.add(id)
  return { id: reader.identity.id, isResumed: ({ id }) => resumed.has(id) }
}

async function hasCompleted(reader: RunReader, task: number): Promise<boolean> {
  for await (const _ of reader.completedPages(task)) return true
  return false
}

async function openRecord(
  pipeline: PlannedPipeline,
  store: ProgressStore,
  {
    run,
    lost,
    outputs,
    folder,
    warn,
    only,
  }: RecordRunOptions & { readonly run: string; readonly lost: AbortSignal | undefined },
): Promise<RecordedRun> {
  await using open = new ResourceStack()
  const failing = new AbortController()
  const link = new LinkRelay()
  const newId = randomUUID()
  const identity = { ...identityOf(pipeline, run), id: newId }
  const record = open.use(await store.open(identity, { onStatus: link.send }))
  const { id } = record.identity
  await forgetLostOutputs(pipeline, record, { outputs, warn, folder })
  const recorder = open.use(
    await ProgressRecorder.load(record, { clock: systemClock, onError: (error) => failing.abort(error) }),
  )
  const chosen = await onlyRecorded(pipeline, only, record)
  const isTaskDone = (task: PlannedTask) =>
    !hasOwnCheck(task.source) && leftOf(task, recorder.completed(pipeline.tasks.indexOf(task))) === 0
  const hasNothingLeft = ({ source, grid, leftOut }: PlannedTask, number: number) => {
    if (hasOwnCheck(source)) return false
    const settled = unitedBits(recorder.completed(number), chosen.tasks[number]?.masked)
    return countSetBits(unitedBits(settled, leftOut), grid.blockCount) === grid.blockCount
  }
  const lineage = new KeptLineage({
    recorder,
    lineage: record.identity.lineage,
    markOutputs: (mark, fsync) => outputs.markLineage(id ?? newId, mark, fsync),
    onError: (error) => failing.abort(error),
  })
  const isDone = chosen.tasks.every(hasNothingLeft)
  const held = open.move()
  return {
    progress: {
      recorder,
      lineage,
      failed: lost === undefined ? failing.signal : AbortSignal.any([failing.signal, lost]),
      onRecordStatus: link.listen,
    },
    id: id ?? newId,
    pipeline: chosen,
    isDone,
    async createOutputs() {
      // A start with nothing to do changes nothing.
      if (!isDone) await lineage.begin()
      await outputs.create(id ?? newId, isTaskDone, lineage.mark)
      if (!isDone) await lineage.settle()
      // Only now, since until then the outputs of a record of version 0.1.0 have no id either.
      if (id === undefined) await record.identify(newId)
    },
    async noteEnd() {
      // If it can't be said, record and outputs stay as they are: they belong together, too.
      if (!isDone && !failing.signal.aborted) await lineage.renew().catch(() => {})
    },
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

/** Chooses blocks with what a record says. @param only as for `onlyBlocks` */
export async function onlyRecorded(
  pipeline: PlannedPipeline,
  only: string | undefined,
  reader: RunReader | undefined,
): Promise<PlannedPipeline> {
  if (only === undefined) return pipeline
  const completed: Uint8Array[] = []
  const failed: (readonly number[])[] = []
  if (reader !== undefined) {
    for (const number of pipeline.tasks.keys()) {
      const done = await readCompleted(reader, number)
      completed.push(done)
      failed.push((await readFailedBlocks(reader, number, done, 0)).blocks)
    }
  }
  return onlyBlocks(pipeline, only, {
    completed: (number) => completed[number],
    failed: (number) => failed[number] ?? [],
  })
}

/** How many blocks of a task are to be done. @param completed those that are recorded as done */
const leftOf = ({ grid: { blockCount }, masked }: PlannedTask, completed: Uint8Array): number =>
  blockCount - countSetBits(masked === undefined ? completed : unitedBits(completed, masked), blockCount)

/**
 * Forgets the recorded blocks of every task with an output that was removed, or written by another run, since they were done. This comes
 * before anything else is written.
 */
async function forgetLostOutputs(
  pipeline: PlannedPipeline,
  record: RunRecord,
  { outputs, warn, folder }: Pick<RecordRunOptions, 'outputs' | 'warn' | 'folder'>,
): Promise<void> {
  const lost = new Set<string>()
  // Nothing of them is recorded as done, but workers may still hold blocks of which they have written a part.
  const begun = new Set<string>()
  for (const [number, task] of pipeline.tasks.entries()) {
    const what = await outputs.contradiction(task, record.identity)
    if (what === undefined) continue
    begun.add(task.id)
    if (!(await hasCompleted(record, number))) continue
    lost.add(task.id)
    // A transient output may be missing: it is not needed if all tasks that read it are done.
    if (task.isTransient) continue
    warn(`${task.id}: its output ${what}; all of its blocks are done again.`)
  }
  const followers = new Set<string>()
  for (let known = -1; known < lost.size; ) {
    known = lost.size
    // Their transient inputs may have been removed, and the transient inputs of those.
    for (const task of pipeline.tasks.toReversed()) {
      const isRead = pipeline.tasks.some(({ id, after }) => lost.has(id) && after.includes(task.id))
      if (task.isTransient && isRead) lost.add(task.id)
    }
    for (const { id } of await openFollowers(pipeline, record, lost)) {
      lost.add(id)
      followers.add(id)
    }
  }
  if (followers.size > 0) {
    const ids = [...followers].map((id) => `"${id}"`).join(', ')
    warn(`The blocks of ${ids} are done again, too: they follow from what was lost, and not all of them were done.`)
  }
  if (folder !== '') dropLeases(folder, (id) => lost.has(id) || begun.has(id))
  // Upstream tasks first: if this is interrupted, no task is recorded as not done while its missing input is recorded as done.
  for (const [number, { id }] of pipeline.tasks.entries()) if (lost.has(id)) await record.clear(number)
}

/**
 * The tasks that follow from lost ones, unless all of them are complete. A task waits only for those that it names, but may read what comes
 * before these: blocks in between that seem done would let it read an output that is only being made again.
 */
async function openFollowers(
  { tasks }: PlannedPipeline,
  record: RunRecord,
  lost: ReadonlySet<string>,
): Promise<readonly PlannedTask[]> {
  const following = new Set(lost)
  const followers = tasks.filter(({ id, after }) => {
    if (!after.some((upstream) => following.has(upstream))) return false
    following.add(id)
    return !lost.has(id)
  })
  for (const task of followers) {
    const number = tasks.indexOf(task)
    if (leftOf(task, await readCompleted(record, number)) > 0) return followers
  }
  return []
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
