import type { RunState } from '../run-state.ts'
import { type ChangedInput, changedInputs } from './changed-inputs.ts'
import { identityNow } from './input-identity.ts'
import { readProvenance } from './provenance-file.ts'

/** The inputs of a run that have changed since, as far as files of this machine tell. Never fails. */
export async function changedInputsOf({ folder, tasks }: RunState): Promise<ChangedInput[]> {
  const starts = readProvenance(folder)?.starts ?? []
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
