import { multiplyExactly } from './decimal.ts'
import { isLengthUnit, isTimeUnit, type PlacedAxis } from './placement.ts'

/** What `soundAxes` made of a file's axes. */
export interface SoundAxes {
  /** Axes that `placeAxes` accepts. */
  readonly axes: readonly PlacedAxis[]
  /** One sentence without its full stop for each kind of problem, for the user. */
  readonly warnings: readonly string[]
}

/**
 * Axes as files have them, made usable: spellings of units become known ones, and what places no voxel (a unit such as `pixel`, a
 * time step of 0) is left out, with a warning. Voxels that can be read are never refused for their placement.
 * @param options `expectsUnits`: whether a voxel size without a unit is worth a warning, since it might be in any unit. @default false
 */
export function soundAxes(
  axes: readonly PlacedAxis[],
  { expectsUnits = false }: { readonly expectsUnits?: boolean } = {},
): SoundAxes {
  const problems = new Map<string, string[]>()
  const note = ({ name }: PlacedAxis, problem: string) =>
    problems.set(problem, [...(problems.get(problem) ?? []), `"${name}"`])
  const sound = axes.map((axis) => soundUnit(soundNumbers(axis, note), note, expectsUnits))
  return {
    axes: sound,
    warnings: [...problems].map(
      ([problem, names]) => `${names.length > 1 ? 'axes' : 'axis'} ${names.join(', ')}: ${problem}`,
    ),
  }
}

type Note = (axis: PlacedAxis, problem: string) => void

function soundNumbers(axis: PlacedAxis, note: Note): PlacedAxis {
  const { scale, translation } = axis
  let sound = axis
  if (scale !== undefined && !(scale > 0 && Number.isFinite(scale))) {
    note(
      axis,
      `the ${axis.type === 'time' ? 'time step' : 'voxel size'} ${scale} is not a number above 0, so 1 is used`,
    )
    sound = { ...sound, scale: 1 }
  }
  if (translation !== undefined && !Number.isFinite(translation)) {
    note(axis, `the offset ${translation} is not a finite number, so 0 is used`)
    sound = { ...sound, translation: 0 }
  }
  return sound
}

function soundUnit(axis: PlacedAxis, note: Note, expectsUnits: boolean): PlacedAxis {
  if (axis.type === 'channel') return axis
  const { unit, ...others } = axis
  const isTime = axis.type === 'time'
  if (unit === undefined || unit.trim() === '') {
    // Without a unit, a size of 1 only counts voxels.
    if (expectsUnits && !isTime && (axis.scale ?? 1) !== 1)
      note(axis, `no unit is given, so the voxel size is taken as nm; ${REMEDY}`)
    return others
  }
  if (isTime) {
    const known = spellings(unit).find(isTimeUnit)
    if (known !== undefined) return { ...axis, unit: known }
    note(axis, `${JSON.stringify(unit)} is not a unit of time, so the time has no unit`)
    return others
  }
  const known = spellings(unit).find(isLengthUnit)
  if (known !== undefined) return { ...axis, unit: known }
  const imperial = spellings(unit).flatMap((spelling) =>
    Object.hasOwn(CENTIMETRES, spelling) ? (CENTIMETRES[spelling] as number) : [],
  )[0]
  if (imperial !== undefined) return inCentimetres(axis, imperial)
  note(axis, `${JSON.stringify(unit)} is not a unit of length, so the voxel size is taken as nm; ${REMEDY}`)
  return others
}

const REMEDY = 'if that is wrong, give --unit or --voxel-size'

/** The ways to read a unit's name: as it is, in lower case, singular, American. Short names have a case: mm is not Mm. */
function spellings(text: string): string[] {
  // The sign of the angstrom is another character than the letter.
  const unit = text.trim().normalize('NFC')
  if (unit.length <= 2) return [unit]
  const lower = unit.toLowerCase().replace(/[\s_-]/g, '')
  const singular = lower.replace(/s$/, '')
  return [unit, lower, singular, singular.replace(/metre$/, 'meter')]
}

/** Lengths that are no power of ten of a metre. */
const CENTIMETRES: Readonly<Record<string, number>> = {
  inch: 2.54, inche: 2.54, foot: 30.48, feet: 30.48, yard: 91.44, mile: 160934.4,
} // biome-ignore format: a table

function inCentimetres(axis: PlacedAxis, factor: number): PlacedAxis {
  return {
    ...axis,
    unit: 'centimeter',
    ...(axis.scale === undefined ? {} : { scale: multiplyExactly(axis.scale, factor) }),
    ...(axis.translation === undefined ? {} : { translation: multiplyExactly(axis.translation, factor) }),
  }
}
