import { provenanceIn } from '../../../core/progress/array-provenance.ts'
import { showBlocksOf } from '../../../core/text/numbers.ts'
import type { PlannedPipeline } from '../../../runtime/tasks/planned-task.ts'
import type { VolumeDescription } from '../../../runtime/volumes/volume-array.ts'
import { arrayStore } from '../../arrays.ts'
import { ownCommand } from '../../own-command.ts'
import { finishedPath } from '../../packed/packed-file.ts'
import { readMark } from '../output-mark.ts'
import { type RunState, readRunState } from '../run-state.ts'
import { inputsOf } from './output-provenance.ts'
import { readProvenance } from './provenance-file.ts'

/** An array of which some blocks have not been written yet. */
export type UnfinishedArray = Pick<VolumeDescription, 'path' | 'attributes' | 'fillValue'>

/** Warnings for all inputs and masks of a run that another run has not finished; each is named once. */
export async function unfinishedInputs({ tasks }: PlannedPipeline): Promise<string[]> {
  const own = new Set(tasks.flatMap(({ outputs }) => outputs.map(({ path }) => arrayStore.canonicalPath(path))))
  const isOther = ({ path }: VolumeDescription) => !own.has(arrayStore.canonicalPath(path))
  const masks = new Map(tasks.flatMap(({ mask }) => (mask !== undefined && isOther(mask) ? [[mask.path, mask]] : [])))
  const inputs = inputsOf(tasks).filter(({ path }) => !masks.has(path))
  const found = await Promise.all([
    ...inputs.map((array) => describeUnfinished(array)),
    ...[...masks.values()].map((array) => describeUnfinished(array, 'mask')),
  ])
  return found.filter((text) => text !== undefined)
}

/**
 * Says that the run that writes an array has not finished it, how much is done, and how to complete it. Never fails.
 * @returns undefined if it is complete, or if nothing says which run writes it
 */
export async function describeUnfinished(array: UnfinishedArray, use?: 'mask'): Promise<string | undefined> {
  const made = provenanceIn(array.attributes)
  if (made === undefined || made.ended !== undefined) return undefined
  const path = finishedPath(array.path)
  const state = await runOfArray(array)
  const task = state?.tasks.find(({ id }) => id === (made.id ?? made.task))
  if (task !== undefined && task.completed === task.total) return undefined
  const means =
    use === 'mask'
      ? 'blocks that it has not written are outside of the mask, and are not run'
      : `blocks that it has not written read as ${array.fillValue}, the fill value`
  const who = `${use === 'mask' ? 'The mask ' : ''}${path} is not complete: the run ${made.run}, which writes it,`
  if (state === undefined || task === undefined) return `${who} has not finished; ${means}.`
  const done = showBlocksOf(task.completed, task.total)
  const { isGoing, words } = CONDITIONS[state.condition]
  const next = isGoing
    ? `To see when it is done: ${ownCommand('status', state.folder)}`
    : `To complete it first: ${ownCommand('resume', state.folder)}`
  return `${who} ${words} and has done ${done}; ${means}. ${next}`
}

const CONDITIONS: Readonly<Record<RunState['condition'], { readonly isGoing: boolean; readonly words: string }>> = {
  waiting: { isGoing: true, words: 'is waiting' },
  running: { isGoing: true, words: 'is running' },
  done: { isGoing: false, words: 'has ended' },
  failed: { isGoing: false, words: 'failed' },
  stopped: { isGoing: false, words: 'was stopped' },
  interrupted: { isGoing: false, words: 'was interrupted' },
}

/** The state of the run that writes an array or has written it last, if it is on this machine and not another one by now. Never fails. */
export async function runOfArray({
  path,
  attributes,
}: Omit<UnfinishedArray, 'fillValue'>): Promise<RunState | undefined> {
  const made = provenanceIn(attributes)
  if (made === undefined || /^https?:/i.test(path)) return undefined
  const mark = await readMark(path).catch(() => undefined)
  return mark?.id === made.record ? await stateOf(mark.folder, made.record) : undefined
}

/** The state of a run, if its folder is on this machine and still has the record that the array names. */
async function stateOf(folder: string | undefined, record: string): Promise<RunState | undefined> {
  if (folder === undefined || readProvenance(folder)?.record !== record) return undefined
  return await readRunState(folder, { limit: 0 }).catch(() => undefined)
}
