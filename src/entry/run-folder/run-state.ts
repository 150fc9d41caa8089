import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { countSetBits } from '../../core/scheduling/bitmap.ts'
import type { FailedTry } from '../../ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../../runtime/coordinator/progress-recorder.ts'
import { type LiveState, readLiveState } from './live-state.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { BEING_MADE, type RunDocument, type RunHolder, readRunDocument, runHolderOf } from './run-folder.ts'

/** What is known of a run that is on, or was. */
export interface RunState {
  /** The name of its folder. */
  readonly run: string
  readonly folder: string
  readonly document: RunDocument
  /** Who runs it now. */
  readonly holder?: RunHolder
  /** What it says of itself; of its last start, where it is not on. */
  readonly live?: LiveState
  readonly tasks: readonly RecordedTaskState[]
  /** Whether there is a record; else nothing is known to be done. */
  readonly isRecorded: boolean
}

/** What is written down of a task. `total` = `completed` + `failed` + `left`. */
export interface RecordedTaskState {
  readonly id: string
  readonly total: number
  readonly completed: number
  readonly failed: number
  readonly left: number
  /** The last try of blocks that failed, at most as many as were asked for. */
  readonly failures: readonly FailedTry[]
  /** Bit i % 8 (lowest first) of byte floor(i / 8): block i is done. */
  readonly done: Uint8Array
  /** Blocks that failed. */
  readonly failedBlocks: readonly number[]
}

/**
 * Reads what a run's folder and its record say, also while the run is on.
 * @param place where its progress is kept, if not where the run says
 * @param limit failures of a task that are read in full
 * @returns undefined where the folder is no run's
 */
export async function readRunState(
  folder: string,
  { place, limit = 100 }: { readonly place?: ProgressPlace | undefined; readonly limit?: number } = {},
): Promise<RunState | undefined> {
  const document = readRunDocument(folder)
  if (document === undefined) return undefined
  const holder = runHolderOf(folder)
  const live = readLiveState(folder)
  const tasks = await readTasks(folder, place ?? document.progress, limit)
  return {
    run: basename(folder),
    folder,
    document,
    ...(holder === undefined ? {} : { holder }),
    ...(live === undefined ? {} : { live }),
    tasks: tasks ?? document.tasks.map(({ id, blocks }) => nothingOf(id, blocks)),
    isRecorded: tasks !== undefined,
  }
}

const nothingOf = (id: string, total: number): RecordedTaskState => ({
  ...{ id, total, completed: 0, failed: 0, left: total },
  ...{ failures: [], done: new Uint8Array(), failedBlocks: [] },
})

/** @returns undefined where there is no record */
async function readTasks(
  folder: string,
  place: ProgressPlace,
  limit: number,
): Promise<RecordedTaskState[] | undefined> {
  await using store = await openProgressStore(place, folder)
  await using reader = await store?.read(recordName(store, folder))
  if (reader === undefined) return undefined
  const states: RecordedTaskState[] = []
  for (const [number, { id, blockCount: total }] of reader.identity.tasks.entries()) {
    const done = await readCompleted(reader, number)
    const { blocks, lastTries } = await readFailedBlocks(reader, number, done, limit)
    const completed = countSetBits(done, total)
    const failed = blocks.length
    const left = total - completed - failed
    states.push({ id, total, completed, failed, left, failures: lastTries, done, failedBlocks: blocks })
  }
  return states
}

/** The names of the runs in a home, those that were changed last first. */
export function listRuns(home: string): string[] {
  const changed = (name: string) => statSync(join(home, name, 'live.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  try {
    return readdirSync(home)
      .filter((name) => !name.startsWith(BEING_MADE) && readRunDocument(join(home, name)) !== undefined)
      .sort((a, b) => changed(b) - changed(a) || (a < b ? -1 : 1))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
