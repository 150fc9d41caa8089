import { given } from '../../../core/given.ts'
import { lastCode } from './changed-code.ts'
import { readProvenance, writeProvenance } from './provenance-file.ts'

/** How many blocks of a task were recorded as done before some were forgotten, and how many are left. */
export interface ForgottenBlocks {
  readonly id: string
  readonly completed: number
  readonly left: number
}

/**
 * Notes that blocks were forgotten while the run was not running: which code had done them is not known, so that of the blocks that are
 * left is less certain from now on. Without provenance, as in runs of earlier versions, nothing is noted.
 */
export function noteReset(folder: string, tasks: readonly ForgottenBlocks[]): void {
  const provenance = readProvenance(folder)
  const last = provenance?.starts.at(-1)
  if (provenance === undefined || last === undefined) return
  const time = new Date().toISOString()
  const changes = tasks.flatMap(({ id, completed, left }) => {
    const entry = left === completed ? undefined : lastCode(provenance.starts, id)
    if (entry === undefined) return []
    const code = given({ code: entry.code, otherCode: entry.otherCode })
    return [completed, left].map((before) => ({ id, time, ...code, before }))
  })
  if (changes.length === 0) return
  const start = { ...last, changes: [...(last.changes ?? []), ...changes] }
  writeProvenance(folder, { ...provenance, starts: [...provenance.starts.slice(0, -1), start] })
}
