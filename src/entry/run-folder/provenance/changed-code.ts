import type { InputAtStart } from './input-identity.ts'

/** A task at the start of a run. */
export interface TaskAtStart {
  readonly id: string
  /** The paths of what it reads and no task of the run writes; undefined for starts of earlier versions. */
  readonly reads?: readonly string[]
  /** What tells its code from other code; undefined if that is not known. */
  readonly code?: string
  /** How many blocks were recorded as done before this start; undefined if the task checks that itself, or if nothing is recorded. */
  readonly before?: number
}

/** A start of a run, as it was recorded. */
export interface RecordedStart {
  /** ISO. */
  readonly started: string
  /** Missing if it was killed. */
  readonly ended?: string
  /** Blocks that were done before count as made from its inputs. */
  readonly grown?: true
  readonly tasks?: readonly TaskAtStart[]
  /** What the tasks read that no task of the run writes. */
  readonly inputs?: readonly InputAtStart[]
}

/** Blocks of a task that other code has done, or that were made from other inputs. */
export interface OlderBlocks {
  readonly id: string
  /** How many; at most so many if blocks were forgotten of which it is not known who did them. */
  readonly blocks: number
  readonly isExact: boolean
  /** Of all that are recorded as done. */
  readonly completed: number
  /** The first start that did them and the last end of one, ISO. */
  readonly from: string
  readonly to: string
}

interface Portion {
  readonly task: TaskAtStart
  readonly blocks: number
  readonly start: RecordedStart
}

/**
 * Finds the blocks that code has done which has changed since the last start.
 * @param starts the earlier ones, the first one first
 * @returns nothing for a task whose code is the same as at the last start, so that it is said once
 */
export const olderBlocks = (starts: readonly RecordedStart[], now: readonly TaskAtStart[]): OlderBlocks[] =>
  now.flatMap((task) => {
    const { id, code } = task
    const last = starts.flatMap(({ tasks }) => tasks?.find((each) => each.id === id && each.before !== undefined) ?? [])
    const { code: before } = last.at(-1) ?? {}
    if (code === undefined || before === undefined || before === code) return []
    return blocksOf(starts, task, (portion) => portion.task.code !== code)
  })

/**
 * The blocks of a task that some of the earlier starts have done.
 * @param task as it is now
 * @param isMeant whether those of a start count
 * @returns none or one
 */
export function blocksOf(
  starts: readonly RecordedStart[],
  { id, before: completed = 0 }: TaskAtStart,
  isMeant: (portion: Pick<Portion, 'task' | 'start'>) => boolean,
): OlderBlocks[] {
  if (completed === 0) return []
  const known = starts.flatMap((start) => {
    const task = start.tasks?.find((each) => each.id === id)
    return task?.before === undefined ? [] : [{ start, task, before: task.before }]
  })
  const { portions, isExact } = portionsOf(known, completed)
  const meant = portions.filter(isMeant)
  const blocks = meant.reduce((sum, portion) => sum + portion.blocks, 0)
  if (blocks === 0) return []
  const from = meant[0]?.start.started ?? ''
  const { started, ended = started } = meant.at(-1)?.start ?? { started: from }
  return [{ id, blocks, isExact, completed, from, to: ended }]
}

/** Which start has done how many of the blocks that are recorded as done now. */
function portionsOf(
  starts: readonly { readonly start: RecordedStart; readonly task: TaskAtStart; readonly before: number }[],
  completed: number,
): { readonly portions: readonly Portion[]; readonly isExact: boolean } {
  let portions: Portion[] = []
  let isExact = true
  for (const [number, { start, task, before }] of starts.entries()) {
    const after = starts[number + 1]?.before ?? completed
    if (after >= before) portions.push({ task, blocks: after - before, start })
    else if (after > 0) isExact = false
    if (after < before) portions = firstOf(portions, after)
    if (after === 0) isExact = true
  }
  return { portions: portions.filter(({ blocks }) => blocks > 0), isExact }
}

/** The oldest portions, with this many blocks together. */
function firstOf(portions: readonly Portion[], blocks: number): Portion[] {
  let rest = blocks
  return portions.map((portion) => {
    const kept = Math.min(portion.blocks, rest)
    rest -= kept
    return { ...portion, blocks: kept }
  })
}
