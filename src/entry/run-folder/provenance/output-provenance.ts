import { type ArrayProvenance, PROVENANCE, provenanceIn } from '../../../core/progress/array-provenance.ts'
import type { ChunkedArray } from '../../../ports/chunked-array.ts'
import type { PlannedTask } from '../../../runtime/tasks/planned-task.ts'
import { isTaskNode } from '../../../runtime/tasks/task-node.ts'
import { arrayStore } from '../../arrays.ts'
import { withoutSecrets } from './without-secrets.ts'

/** What a run says of itself in all its outputs. */
export type RunProvenance = Pick<ArrayProvenance, 'version' | 'run' | 'record' | 'started'>

/** What the outputs of a task say when the run starts. */
export function provenanceOf(task: PlannedTask, { version, run, record, started }: RunProvenance): ArrayProvenance {
  const { id, source } = task
  const name = isTaskNode(source) ? source.definition.options.name : id
  return {
    version,
    task: name,
    ...(name === id ? {} : { id }),
    config: withoutSecrets(isTaskNode(source) ? source.config : {}),
    inputs: inputsOf([task]).map(({ path }) => fullPath(path)),
    run,
    record,
    started,
  }
}

/** The arrays that tasks read and none of them writes. */
export function inputsOf(tasks: readonly PlannedTask[]): PlannedTask['reads'] {
  const placed = <Item extends { readonly path: string }>(items: readonly Item[]) =>
    items.map((item) => [arrayStore.canonicalPath(item.path), item] as const)
  const own = new Map(placed(tasks.flatMap(({ outputs }) => outputs)))
  const found = new Map(placed(tasks.flatMap(({ reads }) => reads)))
  return [...found].flatMap(([path, array]) => (own.has(path) ? [] : [array]))
}

/** A path that means the same everywhere on this machine, without the query of an address. */
export const fullPath = (path: string): string => withoutSecrets(arrayStore.canonicalPath(path)) as string

/**
 * Says in an output what makes it, before the first block. Another start of the same run keeps the time of the first one.
 * @param isDone whether the run has nothing left to do for it
 */
export async function noteStart(array: ChunkedArray, made: ArrayProvenance, isDone: boolean): Promise<void> {
  const found = provenanceIn(array.attributes)
  const isResumed = found?.record === made.record
  if (isResumed && isDone && found.ended !== undefined) return
  const started = isResumed ? found.started : made.started
  await array.setAttributes?.({ [PROVENANCE]: { ...made, started } })
}

/** Says in an output that it is complete. @param options `record`: id of the record of the run, with which the output is marked */
export async function noteEnd(
  path: string,
  { record, ended, fsync }: { readonly record: string; readonly ended: string; readonly fsync: boolean },
): Promise<void> {
  await using array = await arrayStore.open(path, { mode: 'r+', owner: record, fsync })
  const found = provenanceIn(array.attributes)
  if (found?.record !== record || found.ended !== undefined) return
  await array.setAttributes?.({ [PROVENANCE]: { ...found, ended } })
}
