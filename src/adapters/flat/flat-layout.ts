import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import { ConfigError } from '../../core/errors.ts'
import { printableLine } from '../../core/text/printable.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'

/** A part of a file that holds voxels. */
export interface Stretch {
  readonly path: string
  /** Where they start: in the file, or in what it contains if the whole file is compressed. */
  readonly start: number
  /** Bytes of voxels, decompressed. */
  readonly byteLength: number
}

/** What is compressed with gzip or zlib: nothing, the whole of each file, or the voxels behind a plain header. */
export type Packing = 'none' | 'file' | 'voxels'

/** What a header says: where the voxels are, and what they mean. */
export interface FlatLayout {
  /** The element type as it is stored. */
  readonly dtype: DType
  readonly bigEndian: boolean
  /** Voxels along each axis of the array, channels first. */
  readonly shape: readonly number[]
  /** Bytes between neighbours along each axis. */
  readonly strides: readonly number[]
  /** One after the other, they hold all voxels. */
  readonly stretches: readonly Stretch[]
  readonly packing: Packing
  /** What stored values mean, where the header says so: `slope · value + intercept`. */
  readonly rescale?: { readonly slope: number; readonly intercept: number }
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The start of a file. */
export interface HeaderSource {
  /** As users write it. */
  readonly path: string
  /** The first bytes, decompressed if the file is a gzip file. @returns fewer if the file is shorter */
  readonly start: (byteLength: number) => Promise<Buffer>
  /** Whether the whole file is compressed. */
  readonly compressed: boolean
  /** The path of a file that the header names, if it may be read. @throws ConfigError `UNSUPPORTED` */
  readonly beside: (name: string) => string
  /** Bytes of a file that `beside` returned; 0 for one that isn't there, which is reported when it is opened. */
  readonly sizeOf: (path: string) => Promise<number>
}

/** One format of files that have a header, and all voxels in one piece. */
export interface FlatKind {
  /** `MRC`; also the name of the format in descriptions. */
  readonly format: 'mrc' | 'nifti' | 'nrrd' | 'npy' | 'metaimage'
  /** Names of its files. */
  readonly suffix: RegExp
  /** Whether a file starts like this; `start` is decompressed. */
  readonly matches: (start: Buffer) => boolean
  /** @throws ConfigError `INVALID_METADATA`, `UNSUPPORTED` */
  readonly read: (source: HeaderSource) => Promise<FlatLayout>
}

/** @throws ConfigError `INVALID_METADATA` */
export function invalid(path: string, what: string): never {
  throw new ConfigError(
    'INVALID_METADATA',
    `${path} has ${what}; the file is damaged, or was cut short when it was copied.`,
  )
}

/** @throws ConfigError `UNSUPPORTED` */
export function unsupported(path: string, what: string, remedy: string): never {
  throw new ConfigError('UNSUPPORTED', `${path} ${what}; ${remedy}.`)
}

/** The largest array: its bytes can be counted. */
const MOST_BYTES = Number.MAX_SAFE_INTEGER / 8

/** As many as NumPy has. */
const MOST_AXES = 64

/**
 * Lengths of axes from a header.
 * @throws ConfigError `INVALID_METADATA` unless each is an integer of at least 1, and all voxels can be counted
 */
export function checkedShape(path: string, lengths: readonly number[], dtype: DType): readonly number[] {
  const bytes = lengths.reduce((product, length) => product * length, BYTES_PER_ELEMENT[dtype])
  const isGood = lengths.length > 0 && lengths.every((length) => Number.isSafeInteger(length) && length > 0)
  if (lengths.length > MOST_AXES) invalid(path, `${lengths.length} axes`)
  if (!isGood || bytes > MOST_BYTES) invalid(path, `axes of ${lengths.join(' × ') || 'no'} voxels`)
  return lengths
}

/** Bytes between neighbours if the axes are stored without gaps, the fastest first. */
export function stridesFromFastest(lengths: readonly number[], bytesPerElement: number): number[] {
  let step = bytesPerElement
  return lengths.map((length) => {
    const stride = step
    step *= length
    return stride
  })
}

/** The shortest decimal that is this 32-bit float: 1.2, not 1.2000000476837158. */
export function shortDecimal(value: number): number {
  if (Math.fround(value) !== value) return value
  for (let digits = 6; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

/** Voxel sizes and positions, in units of any header, beyond which a number was never meant as one. */
const PLAUSIBLE = { least: 1e-9, most: 1e6, furthest: 1e9 }

/** An axis that may have a voxel size; sizes that can't be meant are left out, as headers use 0 for unknown or contain what lay in memory. */
export function axisOf(
  name: string,
  type: ArrayAxis['type'],
  place: { readonly scale?: number; readonly unit?: string; readonly start?: number; readonly of?: 'edge' | 'center' },
): ArrayAxis {
  const { scale, unit, start, of = 'edge' } = place
  if (type === 'channel' || scale === undefined || !(scale >= PLAUSIBLE.least && scale <= PLAUSIBLE.most))
    return { name, type }
  return {
    name,
    type,
    scale,
    ...(unit === undefined ? {} : { unit }),
    ...(start === undefined || !(Math.abs(start) <= PLAUSIBLE.furthest)
      ? {}
      : { translation: start, translationOf: of }),
  }
}

/** Text in a field of a header, up to the first NUL. */
export const textOf = (bytes: Buffer): string => printableLine(bytes.toString('latin1').split('\0')[0] as string).trim()
