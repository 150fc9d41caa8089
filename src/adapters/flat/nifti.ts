import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'
import {
  axisOf,
  checkedShape,
  type FlatKind,
  type FlatLayout,
  type HeaderSource,
  invalid,
  stridesFromFastest,
  unsupported,
} from './flat-layout.ts'
import { type NiftiHeader, parseFields } from './nifti-fields.ts'
import { positionsOf } from './nifti-orientation.ts'

const TYPES: Readonly<Record<number, DType>> = {
  2: 'uint8', 4: 'int16', 8: 'int32', 16: 'float32', 64: 'float64', 256: 'int8', 512: 'uint16', 768: 'uint32', 1024: 'int64', 1280: 'uint64',
} // biome-ignore format: a table

/** Types of several bytes per voxel, which become channels. */
const COLOURS: Readonly<Record<number, number>> = { 128: 3, 2304: 4 }

const REFUSED: Readonly<Record<number, string>> = {
  1: 'single bits', 32: 'complex numbers', 1536: 'floats of 128 bits', 1792: 'complex numbers', 2048: 'complex numbers',
} // biome-ignore format: a table

const LENGTH_UNITS: Readonly<Record<number, string>> = { 1: 'meter', 2: 'millimeter', 3: 'micrometer' }
const TIME_UNITS: Readonly<Record<number, string>> = { 8: 'second', 16: 'millisecond', 24: 'microsecond' }

/** NIfTI-1 and NIfTI-2, in one file or as a pair of `.hdr` and `.img`: https://nifti.nimh.nih.gov/ */
export const nifti: FlatKind = {
  format: 'nifti',
  suffix: /\.nii(\.gz)?$/i,
  matches: (start) =>
    ['n+1\0', 'ni1\0'].includes(start.toString('latin1', 344, 348)) ||
    ['n+2\0', 'ni2\0'].includes(start.toString('latin1', 4, 8)),
  read: readHeader,
}

async function readHeader({ path, start, compressed, beside }: HeaderSource): Promise<FlatLayout> {
  const header = await start(540)
  const version = header.length >= 540 && /^n[i+]2/.test(header.toString('latin1', 4, 7)) ? 2 : 1
  if (header.length < 348) invalid(path, `${header.length} bytes, fewer than the header of a NIfTI file`)
  const bigEndian = header.readInt32BE(0) === (version === 1 ? 348 : 540)
  const fields = parseFields(header, version, bigEndian)
  const rank = fields.dim[0] as number
  if (!(rank >= 1 && rank <= 7)) invalid(path, `${rank} axes, where a NIfTI file has 1 to 7`)
  const colours = COLOURS[fields.datatype]
  const dtype = colours === undefined ? TYPES[fields.datatype] : 'uint8'
  if (dtype === undefined) {
    const what = REFUSED[fields.datatype] ?? `elements of the unknown type ${fields.datatype}`
    unsupported(
      path,
      `contains ${what}`,
      'Bellis reads integers, floats and colours of 8 bits; convert it to one of these',
    )
  }
  const lengths = checkedShape(path, fields.dim.slice(1, 1 + rank), dtype)
  const perVoxel = BYTES_PER_ELEMENT[dtype] * (colours ?? 1)
  const strides = stridesFromFastest(lengths, perVoxel).toReversed()
  const axes = axesOf(fields, rank).toReversed()
  const isPair = /^ni/.test(header.toString('latin1', version === 1 ? 344 : 4, version === 1 ? 346 : 6))
  const byteLength = lengths.reduce((product, length) => product * length, perVoxel)
  return {
    dtype,
    bigEndian,
    shape: [...(colours === undefined ? [] : [colours]), ...lengths.toReversed()],
    strides: colours === undefined ? strides : [1, ...strides],
    axes: colours === undefined ? axes : [{ name: 'c', type: 'channel' }, ...axes],
    stretches: [
      { path: isPair ? beside(imageOf(path)) : path, start: startOf(path, fields.voxOffset, isPair), byteLength },
    ],
    packing: compressed ? 'file' : 'none',
    ...rescaleOf(fields, colours !== undefined),
    attributes: fields.description === '' ? {} : { description: fields.description },
  }
}

/** The file of the voxels that belongs to a header of its own. */
const imageOf = (path: string): string =>
  path.replace(/^.*[/\\]/, '').replace(/\.hdr(\.gz)?$/i, (_, gz: string | undefined) => `.img${gz ?? ''}`)

function startOf(path: string, offset: number, isPair: boolean): number {
  if (Number.isSafeInteger(offset) && offset >= 0) return isPair || offset >= 348 ? offset : 352
  return invalid(path, `voxels at byte ${offset}`)
}

/** A slope of 0, as NIfTI defines it, means that values are stored as they are. */
function rescaleOf({ slope, intercept }: NiftiHeader, isColour: boolean): Pick<FlatLayout, 'rescale'> {
  if (isColour || slope === 0 || !Number.isFinite(slope) || !Number.isFinite(intercept)) return {}
  return slope === 1 && intercept === 0 ? {} : { rescale: { slope, intercept } }
}

/** The axes as they are stored, the fastest first. */
function axesOf(fields: NiftiHeader, rank: number): ArrayAxis[] {
  const length = LENGTH_UNITS[fields.units & 7]
  const time = TIME_UNITS[fields.units & 0x38]
  const positions = positionsOf(fields)
  return Array.from({ length: rank }, (_, axis): ArrayAxis => {
    const scale = Math.abs(fields.pixdim[axis + 1] as number)
    if (axis < 3) {
      const start = positions?.[axis]
      const place = {
        scale,
        ...(length && { unit: length }),
        ...(start !== undefined && { start, of: 'center' as const }),
      }
      return axisOf('xyz'[axis] as string, 'space', place)
    }
    if (axis === 3) return axisOf('t', 'time', { scale, ...(time && { unit: time }) })
    return { name: axis === 4 ? 'c' : `d${axis}`, type: 'channel' }
  })
}
