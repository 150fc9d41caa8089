/** A task at the start of a run. */
export interface TaskAtStart {
  readonly id: string
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
  readonly tasks?: readonly TaskAtStart[]
}

/** Blocks of a task that other code has done. */
export interface OlderBlocks {
  readonly id: string
  /** How many; at most so many if blocks were forgotten of which it is not known who did them. */
  readonly blocks: number
  readonly isExact: boolean
  /** Of all that are recorded as done. */
  readonly completed: number
  /** The first start and the last end of that code, ISO. */
  readonly from: string
  readonly to: string
}

interface Portion {
  readonly code: string | undefined
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
    const { id, code, before: completed = 0 } = task
    const known = starts.flatMap((start) => {
      const found = start.tasks?.find((each) => each.id === id)
      return found?.before === undefined ? [] : [{ start, code: found.code, before: found.before }]
    })
    const last = known.at(-1)?.code
    if (code === undefined || last === undefined || last === code || completed === 0) return []
    const { portions, isExact } = portionsOf(known, completed)
    const older = portions.filter((portion) => portion.code !== code)
    const blocks = older.reduce((sum, portion) => sum + portion.blocks, 0)
    if (blocks === 0) return []
    const from = older[0]?.start.started ?? ''
    const { started, ended = started } = older.at(-1)?.start ?? { started: from }
    return [{ id, blocks, isExact, completed, from, to: ended }]
  })

/** Which start has done how many of the blocks that are recorded as done now. */
function portionsOf(
  starts: readonly { readonly start: RecordedStart; readonly code: string | undefined; readonly before: number }[],
  completed: number,
): { readonly portions: readonly Portion[]; readonly isExact: boolean } {
  let portions: Portion[] = []
  let isExact = true
  for (const [number, { start, code, before }] of starts.entries()) {
    const after = starts[number + 1]?.before ?? completed
    if (after >= before) portions.push({ code, blocks: after - before, start })
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
