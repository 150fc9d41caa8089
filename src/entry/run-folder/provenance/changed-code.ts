import { showTime } from '../../../core/text/local-time.ts'
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
  /** Other code that workers of the run had loaded still: each block may be of either. */
  readonly otherCode?: readonly string[]
}

/** From this time on, blocks of a task were done by other code, or some were forgotten, during the same start or after it. */
export interface CodeChange extends Pick<TaskAtStart, 'id' | 'code' | 'otherCode'> {
  /** ISO. */
  readonly time: string
  /** How many blocks were recorded as done then. */
  readonly before: number
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
  /** What workers loaded later, the first change first. */
  readonly changes?: readonly CodeChange[]
}

/** Blocks of a task that other code has done, or that were made from other inputs. */
export interface OlderBlocks {
  readonly id: string
  /** How many; at most so many if it is not known of all blocks who did them. */
  readonly blocks: number
  readonly isExact: boolean
  /** Of all that are recorded as done. */
  readonly completed: number
  /** The first start that did them and the last end of one, ISO. */
  readonly from: string
  readonly to: string
}

interface Portion {
  readonly task: Pick<TaskAtStart, 'code' | 'otherCode'>
  readonly blocks: number
  readonly start: RecordedStart
  readonly from: string
  readonly to: string
}

/** Whether blocks are meant; `some`: it is not known which of them. */
type Meant = boolean | 'some'

/**
 * Finds the blocks that code has done which has changed since the last start.
 * @param starts the earlier ones, the first one first
 * @returns nothing for a task whose code is the same as at last, so that it is said once
 */
export const olderBlocks = (starts: readonly RecordedStart[], now: readonly TaskAtStart[]): OlderBlocks[] =>
  now.flatMap((task) => {
    const { code: before } = lastCode(starts, task.id) ?? {}
    return before === undefined || before === task.code ? [] : blocksOfOtherCode(starts, task)
  })

/** The blocks of a task that other code has done than the one it has now. @returns none or one */
export function blocksOfOtherCode(starts: readonly RecordedStart[], task: TaskAtStart): OlderBlocks[] {
  const { code } = task
  if (code === undefined) return []
  return blocksOf(starts, task, ({ task: { code: its, otherCode = [] } }) => {
    const codes = new Set([its, ...otherCode])
    return codes.has(code) && codes.size > 1 ? 'some' : !codes.has(code)
  })
}

/** The code that did the last blocks of a task, as it was recorded. */
export const lastCode = (
  starts: readonly RecordedStart[],
  id: string,
): Pick<TaskAtStart, 'code' | 'otherCode'> | undefined => entriesOf(starts, id).at(-1)?.task

/**
 * The blocks of a task that some of the earlier starts have done.
 * @param task as it is now
 * @param isMeant whether those of a portion count
 * @returns none or one
 */
export function blocksOf(
  starts: readonly RecordedStart[],
  { id, before: completed = 0 }: TaskAtStart,
  isMeant: (portion: Pick<Portion, 'task' | 'start'>) => Meant,
): OlderBlocks[] {
  if (completed === 0) return []
  const { portions, isExact } = portionsOf(entriesOf(starts, id), completed, isMeant)
  const meant = portions.filter((portion) => isMeant(portion) !== false)
  const blocks = meant.reduce((sum, portion) => sum + portion.blocks, 0)
  if (blocks === 0) return []
  const isKnown = isExact && meant.every((portion) => isMeant(portion) === true)
  const { from = '' } = meant[0] ?? {}
  return [{ id, blocks, isExact: isKnown, completed, from, to: meant.at(-1)?.to ?? from }]
}

type Entry = Omit<Portion, 'blocks'> & { readonly before: number }

/** The moments from which on known code did blocks of a task. */
const entriesOf = (starts: readonly RecordedStart[], id: string): Entry[] =>
  starts.flatMap((start) => {
    const task = start.tasks?.find((each) => each.id === id)
    if (task?.before === undefined) return []
    const changes = start.changes?.filter((change) => change.id === id) ?? []
    const all = [{ ...task, before: task.before, time: start.started }, ...changes]
    return all.map((entry, i) => {
      const times = [all[i + 1]?.time, start.ended].filter((time) => time !== undefined)
      const to = times.sort()[0] ?? entry.time
      return { start, task: entry, before: entry.before, from: entry.time, to }
    })
  })

/** Which code has done how many of the blocks that are recorded as done now. */
function portionsOf(
  entries: readonly Entry[],
  completed: number,
  isMeant: (portion: Portion) => Meant,
): { readonly portions: readonly Portion[]; readonly isExact: boolean } {
  let portions: Portion[] = []
  let isExact = true
  for (const [number, { before, ...entry }] of entries.entries()) {
    const after = entries[number + 1]?.before ?? completed
    if (after >= before) portions.push({ ...entry, blocks: after - before })
    else if (after > 0) isExact = false
    if (after < before) portions = keptOf(portions, after, isMeant)
    if (after === 0) isExact = true
  }
  return { portions: portions.filter(({ blocks }) => blocks > 0), isExact }
}

/** What may be left of portions when this many blocks are: as many as possible of those that are meant, and the oldest of these. */
function keptOf(portions: readonly Portion[], blocks: number, isMeant: (portion: Portion) => Meant): Portion[] {
  let rest = blocks
  const kept = new Map<Portion, number>()
  const first = portions.filter((portion) => isMeant(portion) !== false)
  for (const portion of [...first, ...portions.filter((each) => !first.includes(each))]) {
    const count = Math.min(portion.blocks, rest)
    rest -= count
    kept.set(portion, count)
  }
  return portions.map((portion) => ({ ...portion, blocks: kept.get(portion) ?? 0 }))
}

/** How many blocks of which task, and when they were done, for people. */
export const describeOlderBlocks = (tasks: readonly OlderBlocks[]): string =>
  tasks
    .map(({ id, blocks, isExact, completed, from, to }) => {
      const [start, end] = [showTime(from), showTime(to)]
      const when = start === end ? start : `${start} to ${end}`
      return `${id}: ${isExact ? '' : 'up to '}${blocks} of its ${completed} completed blocks were done by older code (${when})`
    })
    .join('; ')
