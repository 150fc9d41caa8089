import { provenanceIn } from '../../../core/progress/array-provenance.ts'
import { ownCommand } from '../../own-command.ts'
import type { RunState } from '../run-state.ts'
import { blocksOfOtherCode, describeOlderBlocks, lastCode, type OlderBlocks } from './changed-code.ts'
import { type ChangedInput, changedInputs, describeChangedInputs } from './changed-inputs.ts'
import { identityNow } from './input-identity.ts'
import { readProvenance, type StartProvenance } from './provenance-file.ts'
import { describeReplaced, type ReplacedOutput, replacedOutputs } from './replaced-outputs.ts'
import { runOfArray, type UnfinishedArray } from './unfinished-arrays.ts'

/** The blocks of a run that are recorded as done, but would be others if they were done now. */
export interface RunFindings {
  /** Done by other code than the last ones of their task. */
  readonly olderBlocks: readonly OlderBlocksOfTask[]
  /** Made from inputs that have changed since, as far as files of this machine tell. */
  readonly changedInputs: readonly ChangedInput[]
  /** Its outputs that other runs have replaced since. */
  readonly replaced: readonly ReplacedOutput[]
}

export interface OlderBlocksOfTask extends Omit<OlderBlocks, 'id'> {
  readonly task: string
}

/** What the folder of a run and its inputs tell. Never fails. */
export async function findingsOf(state: RunState): Promise<RunFindings> {
  return { ...(await outdatedBlocksOf(state)), replaced: await replacedOutputs(state) }
}

async function outdatedBlocksOf(state: RunState): Promise<Omit<RunFindings, 'replaced'>> {
  const starts = readProvenance(state.folder)?.starts ?? []
  return { olderBlocks: olderBlocksOf(state, starts), changedInputs: await changedInputsOf(state, starts) }
}

/** Those of the run that has written an array, as far as they concern the array: those of its task and of the tasks that this follows. */
export async function findingsOfArray(
  array: Pick<UnfinishedArray, 'path' | 'attributes'>,
): Promise<(RunFindings & { readonly texts: readonly string[] }) | undefined> {
  const made = provenanceIn(array.attributes)
  const state = await runOfArray(array)
  if (made === undefined || state === undefined) return undefined
  const { olderBlocks, changedInputs } = await outdatedBlocksOf(state)
  const concerns = leadingTo(made.id ?? made.task, state)
  const findings = {
    olderBlocks: olderBlocks.filter(({ task }) => concerns.has(task)),
    changedInputs: changedInputs.filter(({ task }) => concerns.has(task)),
    // The mark of the array names the run: what became of its other outputs does not matter here.
    replaced: [],
  }
  return { ...findings, texts: describeFindings(findings, state) }
}

/** A task and all that it follows. */
function leadingTo(id: string, { document }: RunState): ReadonlySet<string> {
  const found = new Set([id])
  // A set is visited with what is added meanwhile.
  for (const each of found)
    for (const before of document.tasks.find((task) => task.id === each)?.after ?? []) found.add(before)
  return found
}

/** The same for people, with the commands that do these blocks again: one text per kind. */
export function describeFindings({ olderBlocks, changedInputs, replaced }: RunFindings, state: RunState): string[] {
  return [
    ...(replaced.length === 0 ? [] : [describeReplaced(replaced, state.folder)]),
    ...(changedInputs.length === 0 ? [] : [describeChanged(changedInputs, state)]),
    ...(olderBlocks.length === 0 ? [] : [describeOlder(olderBlocks, state)]),
  ]
}

function olderBlocksOf({ tasks }: RunState, starts: readonly StartProvenance[]): OlderBlocksOfTask[] {
  return tasks.flatMap(({ id: task, completed, masked = 0 }) => {
    const code = lastCode(starts, task)?.code
    if (code === undefined) return []
    return blocksOfOtherCode(starts, { id: task, code, before: completed - masked }).map(({ id: _, ...blocks }) => ({
      task,
      ...blocks,
    }))
  })
}

async function changedInputsOf({ tasks }: RunState, starts: readonly StartProvenance[]): Promise<ChangedInput[]> {
  const last = starts.at(-1)
  if (last === undefined) return []
  const inputs = await Promise.all((last.inputs ?? []).map(identityNow))
  return changedInputs(starts, {
    tasks: (last.tasks ?? []).flatMap((task) => {
      const state = tasks.find(({ id }) => id === task.id)
      // A task that checks its blocks itself, or whose blocks are not recorded, has no number.
      if (state === undefined || task.before === undefined) return []
      return { ...task, before: state.completed - (state.masked ?? 0) }
    }),
    inputs: inputs.filter((input) => input !== undefined),
  })
}

function describeChanged(changed: readonly ChangedInput[], { folder }: RunState): string {
  const how = { next: ownCommand('resume', folder), all: ownCommand('resume', folder, '--', '--overwrite') }
  return describeChangedInputs(changed, folder, how)
}

function describeOlder(older: readonly OlderBlocksOfTask[], { folder, holder }: RunState): string {
  const again = ownCommand('reset', folder, ...older.flatMap(({ task }) => ['--task', task]))
  const then = holder === undefined ? `, then ${ownCommand('resume', folder)}` : ''
  const blocks = describeOlderBlocks(older.map(({ task, ...each }) => ({ id: task, ...each })))
  return `Not all blocks were done by the same code. ${blocks}. To do them again with the code as it is: ${again}${then}.`
}
