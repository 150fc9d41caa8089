import { ConfigError } from '../errors.ts'

export const WORLD_UNITS = ['nm', 'pm', 'fm'] as const
/** What world units count: nm, or pm or fm if a voxel size or an offset is not a whole number of nm. */
export type WorldUnit = (typeof WORLD_UNITS)[number]

/** Each unit's power of ten of a metre. */
export const METRE_EXPONENT: Readonly<Record<WorldUnit, number>> = { nm: -9, pm: -12, fm: -15 }

/** The finer of two world units. */
export const finerUnit = (a: WorldUnit, b: WorldUnit): WorldUnit => (METRE_EXPONENT[a] < METRE_EXPONENT[b] ? a : b)

/** World units of `unit` as a decimal number of nm (for a time axis, of its unit): 4600 pm are 4.6. */
export const toNanometers = (value: number, unit: WorldUnit): number =>
  Number(`${value}e${METRE_EXPONENT[unit] - METRE_EXPONENT.nm}`)

/** How many of the finer unit `to` make one of `from`. @throws ConfigError `INVALID_UNIT` if `to` is the coarser one */
export function unitFactor(from: WorldUnit, to: WorldUnit): number {
  if (METRE_EXPONENT[to] > METRE_EXPONENT[from]) {
    throw new ConfigError('INVALID_UNIT', `Lengths in ${from} can't be expressed in ${to} without rounding.`)
  }
  return 10 ** (METRE_EXPONENT[from] - METRE_EXPONENT[to])
}
