import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { InfrastructureError } from '../../core/errors.ts'
import type { RunCondition } from '../../core/events.ts'
import { given } from '../../core/given.ts'
import { conditionOf, type RunFacts } from '../../core/progress/run-condition.ts'
import { countSetBits, withoutBits } from '../../core/scheduling/bitmap.ts'
import { errnoOf } from '../../core/system-errors.ts'
import type { FailedAttempt, RunReader } from '../../ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../../runtime/coordinator/progress-recorder.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { type LiveState, readLiveState, readMasks } from './run-files.ts'
import { INCOMPLETE_PREFIX, type RunDocument, type RunHolder, readRunDocument, runHolderOf } from './run-folder.ts'

/** What is known of a run, while it is running and afterwards. */
export interface RunState {
  /** The name of its folder. */
  readonly run: string
  readonly folder: string
  readonly document: RunDocument
  readonly condition: RunCondition
  /** Who runs it now; undefined unless it is running. */
  readonly holder?: RunHolder
  /** The live state of its last start. */
  readonly live?: LiveState
  readonly tasks: readonly RecordedTaskState[]
  /** Whether there is a record; without one no block is known to be done. */
  readonly isRecorded: boolean
  /** The id of the record, if it has one. */
  readonly record?: string
}

/** The recorded state of a task. `total` = `completed` + `failed` + `left`. */
export interface RecordedTaskState {
  readonly id: string
  readonly total: number
  readonly completed: number
  readonly failed: number
  readonly left: number
  /** Blocks outside the mask of the last start that were not done before; counted inside `completed`; absent without a mask. */
  readonly masked?: number
  /** Blocks that the last start left as they were, because of `--only`; counted inside `failed` or `left`; absent without it. */
  readonly leftOut?: number
  /** Bit i % 8 (lowest first) of byte floor(i / 8): block i is outside the mask of the last start. */
  readonly mask?: Uint8Array
  /** The last attempt of failed blocks, sorted by block; at most as many as requested, those that failed first. */
  readonly failures: readonly FailedAttempt[]
  /** Bit i % 8 (lowest first) of byte floor(i / 8): block i is done. */
  readonly done: Uint8Array
  /** Indices of failed blocks, sorted. */
  readonly failedBlocks: readonly number[]
}

/**
 * Reads a run's folder and its record, also while the run is running.
 * @param place where its progress is kept @default the place recorded with the run
 * @param limit failures per task that are read in full
 * @returns undefined if the folder is not that of a run
 */
export async function readRunState(
  folder: string,
  { place, limit = 100 }: { readonly place?: ProgressPlace | undefined; readonly limit?: number } = {},
): Promise<RunState | undefined> {
  const document = readRunDocument(folder)
  if (document === undefined) return undefined
  const holder = runHolderOf(folder)
  const live = readLiveState(folder)
  const recorded = await readTasks(folder, document, place ?? document.progress, limit)
  return {
    run: basename(folder),
    folder,
    document,
    condition: conditionOf({
      isHeld: holder !== undefined,
      lastEnd: lastEndOf(live),
      isRecorded: recorded !== undefined,
      tasks: recorded === undefined ? (live?.tasks ?? document.tasks.map(uncounted)) : withLive(recorded.tasks, live),
    }),
    ...(holder === undefined ? {} : { holder }),
    ...(live === undefined ? {} : { live }),
    tasks: recorded?.tasks ?? document.tasks.map(({ id, blocks }) => nothingOf(id, blocks)),
    isRecorded: recorded !== undefined,
    ...given({ record: recorded?.id }),
  }
}

function lastEndOf(live: LiveState | undefined): RunFacts['lastEnd'] {
  if (live === undefined) return 'unknown'
  if (live.ok === undefined) return 'unreported'
  return live.ok ? 'ok' : 'incomplete'
}

const uncounted = ({ blocks }: { readonly blocks: number }) => ({ total: blocks, completed: 0, failed: 0 })

/**
 * The counts of a record, with what only the live state of the last start tells: blocks that could still be done, and those that were orphaned
 * because their task was abandoned. Orphans of failed blocks do not matter here; the live state may still count them after the record was
 * reset.
 */
function withLive(recorded: readonly RecordedTaskState[], live: LiveState | undefined): RunFacts['tasks'] {
  if (live?.ok !== false) return recorded
  const hasFailed = live.tasks.some(({ failed }) => failed > 0)
  return recorded.map((task) => {
    const { orphaned = 0, pending = 0, ready = 0, processing = 0 } = live.tasks.find(({ id }) => id === task.id) ?? {}
    const waiting = Math.min(pending + ready + processing, task.left)
    return { ...task, waiting, ...(hasFailed ? {} : { orphaned: Math.min(orphaned, task.left) }) }
  })
}

const nothingOf = (id: string, total: number): RecordedTaskState => ({
  ...{ id, total, completed: 0, failed: 0, left: total },
  ...{ failures: [], done: new Uint8Array(), failedBlocks: [] },
})

/** @returns undefined if there is no record */
async function readTasks(
  folder: string,
  { tasks }: RunDocument,
  place: ProgressPlace,
  limit: number,
): Promise<{ readonly tasks: readonly RecordedTaskState[]; readonly id: string | undefined } | undefined> {
  await using store = await openProgressStore(place, folder)
  await using reader = await store?.read(await recordName(store, folder))
  if (reader === undefined) return undefined
  assertSameTasks(reader, tasks, folder)
  const states: RecordedTaskState[] = []
  const idleOf = readMasks(folder)
  for (const [number, { id, blockCount: total }] of reader.identity.tasks.entries()) {
    const done = await readCompleted(reader, number)
    const { masked: mask, leftOut: out } = idleOf(number)
    const masked = mask === undefined ? 0 : countSetBits(withoutBits(mask, done), total)
    const leftOut = out === undefined ? undefined : countSetBits(withoutBits(out, done), total)
    const { blocks, lastAttempts } = await readFailedBlocks(reader, number, done, limit)
    const completed = countSetBits(done, total) + masked
    const failed = blocks.length
    const left = total - completed - failed
    const counts = {
      id,
      total,
      completed,
      failed,
      left,
      ...(mask === undefined ? {} : { masked }),
      ...given({ leftOut }),
    }
    const failures = lastAttempts.toSorted((a, b) => a.block - b.block)
    const failedBlocks = blocks.toSorted((a, b) => a - b)
    states.push({ ...counts, ...given({ mask }), failures, done, failedBlocks })
  }
  return { tasks: states, id: reader.identity.id }
}

/** The tasks of a run are part of its name. @throws InfrastructureError `CORRUPT_DATA` */
function assertSameTasks({ identity }: RunReader, tasks: RunDocument['tasks'], folder: string): void {
  const recorded = identity.tasks
  if (recorded.length === tasks.length && recorded.every(({ id }, number) => id === tasks[number]?.id)) return
  throw new InfrastructureError(
    'CORRUPT_DATA',
    `The record of ${folder} is damaged: it is of other tasks than run.json; restore it, or start again with --overwrite.`,
  )
}

/**
 * The states of the runs in a home, the most recently active first, without their failures.
 * @param onUnreadable called for a run whose record can't be read
 */
export async function readRuns(
  home: string,
  onUnreadable: (run: string, error: unknown) => void = () => {},
): Promise<RunState[]> {
  const states: RunState[] = []
  for (const name of listRuns(home)) {
    try {
      const state = await readRunState(join(home, name), { limit: 0 })
      if (state !== undefined) states.push(state)
    } catch (error) {
      onUnreadable(name, error)
    }
  }
  return states
}

/** The names of the runs in a home, the most recently active first. */
export function listRuns(home: string): string[] {
  const timeOf = (name: string, file: string) => statSync(join(home, name, file), { throwIfNoEntry: false })?.mtimeMs
  const changed = (name: string) => timeOf(name, 'live.json') ?? timeOf(name, 'run.json') ?? 0
  try {
    return readdirSync(home)
      .filter((name) => !name.startsWith(INCOMPLETE_PREFIX) && readRunDocument(join(home, name)) !== undefined)
      .sort((a, b) => changed(b) - changed(a) || (a < b ? -1 : 1))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  }
}
