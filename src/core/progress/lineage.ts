/**
 * Tells the states of one record apart. Its outputs name the state that wrote them last, so neither an earlier state that was put back
 * nor an output that was put back is believed.
 */
export interface Lineage {
  /**
   * Random texts. The last one is that of now; outputs name it, or one of those before it if a process was killed before it had
   * written it to all of them.
   */
  readonly epochs: readonly string[]
  /** How often chunks of transient arrays were removed. */
  readonly removals: number
}

/** What an output says of the lineage of the record that wrote it; nothing in outputs of older versions. */
export interface LineageMark {
  readonly epoch?: string
  readonly removals?: number
}

/** That of a record without one, of an older version. Its outputs name none, either: that is the empty text. */
export const NO_LINEAGE: Lineage = { epochs: [''], removals: 0 }
/** Each start that is killed before it has written its outputs' marks adds one. An output that names an older one is made again. */
const MOST_EPOCHS = 1000

export const withEpoch = ({ epochs, removals }: Lineage, epoch: string): Lineage => ({
  epochs: [...epochs, epoch].slice(-MOST_EPOCHS),
  removals,
})

/** All outputs name the last epoch. */
export const settledLineage = ({ epochs, removals }: Lineage): Lineage => ({ epochs: epochs.slice(-1), removals })

export const withRemoval = ({ epochs, removals }: Lineage): Lineage => ({ epochs, removals: removals + 1 })

export const markOfLineage = ({ epochs, removals }: Lineage): LineageMark => {
  const epoch = epochs.at(-1)
  return epoch ? { epoch, removals } : {}
}

/** Whether a record and an output are of states that belong together. */
export const belongsToLineage = ({ epoch = '', removals = 0 }: LineageMark, lineage: Lineage = NO_LINEAGE): boolean =>
  lineage.epochs.includes(epoch) && removals <= lineage.removals

/** @param value of JSON @returns undefined if it can't be understood */
export function parseLineage(value: unknown): Lineage | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { epochs, removals } = value as { readonly [Key in keyof Lineage]?: unknown }
  if (!Array.isArray(epochs) || !epochs.every((epoch) => typeof epoch === 'string')) return undefined
  return Number.isSafeInteger(removals) ? { epochs, removals: removals as number } : undefined
}
