/** The leases of a run that hold: those that are named, and all with a number of at least `from`. */
export interface ValidLeases {
  readonly from: number
  readonly held: readonly number[]
}

export const isValidLease = ({ from, held }: ValidLeases, lease: number): boolean =>
  lease >= from || held.includes(lease)

/** @param value of JSON @returns undefined if it says nothing that can be understood */
export function parseValidLeases(value: unknown): ValidLeases | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { from, held } = value as Partial<Record<keyof ValidLeases, unknown>>
  if (!Number.isSafeInteger(from) || !Array.isArray(held) || !held.every(Number.isSafeInteger)) return undefined
  return { from: from as number, held }
}
