import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'
import {
  axisOf,
  checkedShape,
  type FlatKind,
  type FlatLayout,
  type HeaderSource,
  invalid,
  type Stretch,
  stridesFromFastest,
  unsupported,
} from './flat-layout.ts'
import { numbersIn, spaceNames } from './text-header.ts'

const LONGEST_HEADER = 2 ** 20

const TYPES: ReadonlyMap<string, DType> = new Map(Object.entries({
  MET_CHAR: 'int8', MET_UCHAR: 'uint8', MET_SHORT: 'int16', MET_USHORT: 'uint16', MET_INT: 'int32', MET_UINT: 'uint32',
  MET_LONG_LONG: 'int64', MET_ULONG_LONG: 'uint64', MET_FLOAT: 'float32', MET_DOUBLE: 'float64',
} as const)) // biome-ignore format: a table

/** MetaImage of ITK, `.mha` or `.mhd` with its voxels beside it: https://itk.org/Wiki/ITK/MetaIO/Documentation */
export const metaImage: FlatKind = {
  format: 'metaimage',
  suffix: /\.mh[ad]$/i,
  matches: (start) => /^(ObjectType|NDims) *= /.test(start.toString('latin1', 0, 24)),
  read: readHeader,
}

async function readHeader(source: HeaderSource): Promise<FlatLayout> {
  const { path } = source
  const bytes = await source.start(LONGEST_HEADER)
  const text = bytes.toString('latin1')
  const last = /^ElementDataFile *=([^\n]*)(\n|$)/m.exec(text)
  if (last === null) invalid(path, 'no "ElementDataFile"')
  const field = (name: string) => new RegExp(`^${name} *=(.*)$`, 'm').exec(text.slice(0, last.index))?.[1]?.trim()
  const dtype = TYPES.get(field('ElementType') ?? '')
  if (dtype === undefined)
    unsupported(
      path,
      `has elements of the type "${field('ElementType') ?? 'none'}"`,
      'Bellis reads integers and floats',
    )
  if (/^false$/i.test(field('BinaryData') ?? 'true'))
    unsupported(path, 'has its voxels as text', 'save it with BinaryData = True')
  const lengths = checkedShape(path, numbersIn(field('DimSize')) ?? [], dtype)
  if (Number(field('NDims')) !== lengths.length)
    invalid(path, `${lengths.length} sizes for NDims = ${field('NDims') ?? 'none'}`)
  const channels = Number(field('ElementNumberOfChannels') ?? 1)
  if (!(Number.isSafeInteger(channels) && channels > 0 && channels < 2 ** 16)) invalid(path, `${channels} channels`)
  const perVoxel = BYTES_PER_ELEMENT[dtype] * channels
  const strides = stridesFromFastest(lengths, perVoxel).toReversed()
  const axes = axesOf(field, lengths.length).toReversed()
  const hasChannels = channels > 1
  const isPacked = /^true$/i.test(field('CompressedData') ?? 'false')
  if (isPacked && source.compressed) unsupported(path, 'is compressed twice', 'decompress it once: gunzip FILE')
  return {
    dtype,
    bigEndian: /^true$/i.test(field('ElementByteOrderMSB') ?? field('BinaryDataByteOrderMSB') ?? 'false'),
    shape: [...(hasChannels ? [channels] : []), ...lengths.toReversed()],
    strides: hasChannels ? [BYTES_PER_ELEMENT[dtype], ...strides] : strides,
    axes: hasChannels ? [{ name: 'c', type: 'channel' }, ...axes] : axes,
    stretches: await stretchesOf(
      source,
      last,
      field('HeaderSize'),
      lengths.reduce((product, length) => product * length, perVoxel),
    ),
    packing: isPacked ? 'voxels' : source.compressed ? 'file' : 'none',
    attributes: {},
  }
}

async function stretchesOf(
  { path, beside, sizeOf }: HeaderSource,
  found: RegExpExecArray,
  headerSize: string | undefined,
  total: number,
): Promise<Stretch[]> {
  const name = (found[1] as string).trim()
  if (/^local$/i.test(name)) return [{ path, start: found.index + found[0].length, byteLength: total }]
  if (/^LIST\b|%/.test(name)) unsupported(path, `has its voxels in several files ("${name}")`, 'save it as one file')
  const file = beside(name)
  const skip = Number(headerSize ?? 0)
  if (!Number.isSafeInteger(skip) || skip < -1) invalid(path, `HeaderSize = ${headerSize}`)
  const start = skip === -1 ? Math.max(0, (await sizeOf(file)) - total) : skip
  return [{ path: file, start, byteLength: total }]
}

/** The axes as they are stored, the fastest first; ITK's lengths are millimetres. */
function axesOf(field: (name: string) => string | undefined, rank: number): ArrayAxis[] {
  const scales = numbersIn(field('ElementSpacing')) ?? numbersIn(field('ElementSize')) ?? []
  const origin = numbersIn(field('Offset')) ?? numbersIn(field('Position')) ?? numbersIn(field('Origin')) ?? []
  const matrix = numbersIn(field('TransformMatrix')) ?? numbersIn(field('Rotation')) ?? numbersIn(field('Orientation'))
  const isStraight = matrix === undefined || matrix.every((value, i) => value === (i % (rank + 1) === 0 ? 1 : 0))
  const unit = scales.length === rank ? 'millimeter' : undefined
  return spaceNames(rank).map((name, axis) =>
    axisOf(name, 'space', {
      ...(scales[axis] === undefined ? {} : { scale: scales[axis] }),
      ...(unit && { unit }),
      ...(isStraight && origin[axis] !== undefined ? { start: origin[axis], of: 'center' } : {}),
    }),
  )
}
