import { hasEnded, identityOfProcess } from '../../adapters/files/process-identity.ts'
import {
  countBlocks,
  type ForgetOptions,
  type ForgettableTask,
  forgettingOrder,
  forgottenBoxes,
} from '../../core/control/forgotten-region.ts'
import { ConfigError } from '../../core/errors.ts'
import type { ControlEvent } from '../../core/events.ts'
import { isSlice, parseRoi, showRoiInNm } from '../../core/geometry/roi-text.ts'
import { given } from '../../core/given.ts'
import { type BlockGrid, createBlockGrid } from '../../core/grid/block-grid.ts'
import type { IndexBox } from '../../core/grid/index-box.ts'
import { countSetBits, isBitSet } from '../../core/scheduling/bitmap.ts'
import type { ProgressStore, RunReader } from '../../ports/progress-store.ts'
import { readCompleted, readFailedBlocks } from '../../runtime/coordinator/progress-recorder.ts'
import { openArray } from '../arrays.ts'
import { ownCommand } from '../own-command.ts'
import { sendCommand } from './control/send-command.ts'
import { openProgressStore, type ProgressPlace, recordName } from './progress-place.ts'
import { noteReset } from './provenance/note-reset.ts'
import { dropLeases } from './run-files.ts'
import { holdRunFolder, type RunDocument, readRunDocument } from './run-folder.ts'
import { absolutePath, type DescribedTask } from './run-place.ts'

export interface ResetOptions extends ForgetOptions {
  readonly place?: ProgressPlace | undefined
  /** Forget failed attempts only. @default false */
  readonly failed?: boolean
  /** Called before anything is forgotten, while no other process can start the run; if it throws, nothing is. */
  readonly confirm?: (forgotten: readonly Forgotten[]) => Promise<void>
}

/** What was forgotten for a task. */
export interface Forgotten {
  readonly id: string
  readonly blocks: number
  readonly failedAttempts: number
}

/**
 * Forgets what a run has done.
 * @throws ConfigError `NO_SUCH_FILE`, `RUN_LOCKED` while it is running, here or elsewhere, `INVALID_ROI`, `UNKNOWN_TASK`
 */
export async function resetRun(folder: string, options: ResetOptions): Promise<Forgotten[]> {
  const document = documentOf(folder)
  const tasks = document.tasks.map(forgettable)
  const roi = options.roi === undefined ? undefined : await inNanometers(options.roi, document)
  // Refused before the record is opened.
  forgottenBoxes(tasks, { roi, tasks: options.tasks })
  using _held = holdRunFolder(folder, document)
  await using store = await openProgressStore(options.place ?? document.progress, folder)
  const name = store === undefined ? '' : await recordName(store, folder)
  const identity = await identityIn(store, name)
  if (store === undefined || identity === undefined) return []
  await using _lock = await store.lock?.(name, { ...identityOfProcess(), since: Date.now() }, hasEnded)
  await using record = await store.open(identity)
  const chosen = await chooseAll(record, document, { ...options, roi })
  const forgotten = chosen.map((task) => task.forgotten)
  await options.confirm?.(forgotten)
  const forgottenIds = new Set(chosen.filter(({ blocks }) => blocks === 'all' || blocks.size > 0).map(idOf))
  dropLeases(folder, (id) => forgottenIds.has(id))
  noteReset(
    folder,
    chosen.map(({ completed, forgotten: { id, blocks } }) => ({ id, completed, left: completed - blocks })),
  )
  for (const number of forgettingOrder(tasks.map(({ isTransient }) => isTransient))) {
    const { blocks } = chosen[number] as ChosenBlocks
    if (blocks === 'all') await record.clear(number)
    else if (blocks.size > 0) await record.clear(number, blocks)
  }
  return forgotten
}

/**
 * Has a running run forget what it has done, and do it again. It asks with the numbers of its record, which grow meanwhile.
 * @returns what was forgotten then
 * @throws ConfigError as `sendCommand`, and `UNSUPPORTED` for failed attempts alone, which need no reset
 */
export async function resetRunning(
  folder: string,
  { keepWorkers, ...options }: ResetOptions & { readonly keepWorkers: boolean },
): Promise<ControlEvent> {
  const document = documentOf(folder)
  if (options.failed) {
    const retry = ownCommand('retry', folder)
    throw new ConfigError('UNSUPPORTED', `The run is running; to have its failed blocks tried again: ${retry}`)
  }
  const roi = options.roi === undefined ? undefined : await inNanometers(options.roi, document)
  const chosen = { ...given({ roi, tasks: options.tasks }) }
  forgottenBoxes(document.tasks.map(forgettable), chosen)
  if (options.confirm !== undefined) {
    await using store = await openProgressStore(options.place ?? document.progress, folder)
    await using reader = await store?.read(await recordName(store, folder))
    if (reader !== undefined) {
      const blocks = await chooseAll(reader, document, { ...options, roi })
      await options.confirm(blocks.map(({ forgotten }) => forgotten))
    }
  }
  return sendCommand(folder, { type: 'reset', ...chosen, keepWorkers })
}

/** @throws ConfigError `NO_SUCH_FILE` */
function documentOf(folder: string): RunDocument {
  const document = readRunDocument(folder)
  if (document !== undefined) return document
  throw new ConfigError(
    'NO_SUCH_FILE',
    `${folder} is not the folder of a run; ${ownCommand('runs')} lists the runs here.`,
  )
}

/** @param options with a region in nm */
async function chooseAll(
  reader: RunReader,
  document: RunDocument,
  { failed = false, roi, tasks }: ResetOptions,
): Promise<ChosenBlocks[]> {
  const boxes = failed ? [] : forgottenBoxes(document.tasks.map(forgettable), { roi, tasks })
  const chosen: ChosenBlocks[] = []
  for (const [number, task] of document.tasks.entries()) {
    const isLeft = failed && tasks !== undefined && !tasks.includes(task.id)
    chosen.push(await choose(reader, number, task, isLeft ? [] : boxes[number]))
  }
  return chosen
}

/** The blocks of a task to forget, and their number. */
interface ChosenBlocks {
  readonly blocks: 'all' | ReadonlySet<number>
  /** How many are recorded as done. */
  readonly completed: number
  readonly forgotten: Forgotten
}

async function identityIn(store: ProgressStore | undefined, name: string) {
  await using reader = await store?.read(name)
  return reader?.identity
}

/** @param boxes the blocks to forget @default those that failed */
async function choose(
  record: RunReader,
  number: number,
  { id, grid }: DescribedTask,
  boxes: readonly IndexBox[] | undefined,
): Promise<ChosenBlocks> {
  const done = await readCompleted(record, number)
  const { blocks: failed } = await readFailedBlocks(record, number, done, 0)
  const blocks = createBlockGrid(grid)
  // A set of all blocks may not fit into memory.
  if (boxes?.some((box) => countBlocks(box) === blocks.blockCount)) {
    const forgotten = { id, blocks: countSetBits(done, blocks.blockCount), failedAttempts: failed.length }
    return { blocks: 'all', completed: forgotten.blocks, forgotten }
  }
  const chosen = new Set(boxes === undefined ? failed : indicesOf(blocks, boxes))
  let count = 0
  for (const block of chosen) if (isBitSet(done, block)) count++
  const failedAttempts = failed.filter((block) => chosen.has(block)).length
  const completed = countSetBits(done, blocks.blockCount)
  return { blocks: chosen, completed, forgotten: { id, blocks: count, failedAttempts } }
}

function* indicesOf(grid: BlockGrid, boxes: readonly IndexBox[]): Generator<number> {
  for (const box of boxes) yield* grid.indicesOf(box)
}

const idOf = ({ forgotten }: ChosenBlocks): string => forgotten.id

const forgettable = ({ id, grid, after, unit, transient = false }: DescribedTask): ForgettableTask => ({
  id,
  grid: createBlockGrid(grid),
  after,
  unit,
  isTransient: transient,
})

/** A region that is written in voxels refers to those of the first dataset that the run reads, or else writes. */
export async function inNanometers(
  text: string,
  { directory, tasks }: Pick<RunDocument, 'directory' | 'tasks'>,
): Promise<string> {
  const [path] = [...tasks.flatMap(({ reads = [] }) => reads), ...tasks.flatMap(({ writes = [] }) => writes)]
  if (!isSlice(text) || path === undefined) return text
  await using array = await openArray(absolutePath(path, directory))
  return showRoiInNm(parseRoi(text, array.unit, array), array.unit)
}
