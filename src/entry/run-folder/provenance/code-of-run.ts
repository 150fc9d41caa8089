import type { RunState } from '../run-state.ts'
import { blocksOfOtherCode, lastCode, type OlderBlocks } from './changed-code.ts'
import { readProvenance } from './provenance-file.ts'

/** The blocks of a run that are recorded as done and were done by other code than the last ones of their task. Never fails. */
export function olderBlocksOf({ folder, tasks }: RunState): OlderBlocks[] {
  const starts = readProvenance(folder)?.starts ?? []
  return tasks.flatMap(({ id, completed, masked = 0 }) => {
    const code = lastCode(starts, id)?.code
    return code === undefined ? [] : blocksOfOtherCode(starts, { id, code, before: completed - masked })
  })
}
