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
import { channelsFirst, numbersIn, spaceNames, unitNamed, vectorsIn } from './text-header.ts'

/** The longest header: key/value pairs may be of any length, but not of megabytes. */
const LONGEST_HEADER = 2 ** 20

/** The longest field that has a structure. */
const LONGEST_FIELD = 4096

const TYPES: ReadonlyMap<string, DType> = new Map(Object.entries({
  'signed char': 'int8', int8: 'int8', int8_t: 'int8',
  uchar: 'uint8', 'unsigned char': 'uint8', uint8: 'uint8', uint8_t: 'uint8',
  short: 'int16', 'short int': 'int16', 'signed short': 'int16', 'signed short int': 'int16', int16: 'int16', int16_t: 'int16',
  ushort: 'uint16', 'unsigned short': 'uint16', 'unsigned short int': 'uint16', uint16: 'uint16', uint16_t: 'uint16',
  int: 'int32', 'signed int': 'int32', int32: 'int32', int32_t: 'int32',
  uint: 'uint32', 'unsigned int': 'uint32', uint32: 'uint32', uint32_t: 'uint32',
  longlong: 'int64', 'long long': 'int64', 'long long int': 'int64', 'signed long long': 'int64', 'signed long long int': 'int64',
  int64: 'int64', int64_t: 'int64',
  ulonglong: 'uint64', 'unsigned long long': 'uint64', 'unsigned long long int': 'uint64', uint64: 'uint64', uint64_t: 'uint64',
  float: 'float32', double: 'float64',
} as const)) // biome-ignore format: a table

/** NRRD, versions 1 to 5, with its voxels in the same file or beside it: https://teem.sourceforge.net/nrrd/format.html */
export const nrrd: FlatKind = {
  format: 'nrrd',
  suffix: /\.(nrrd|nhdr)$/i,
  matches: (start) => /^NRRD000[1-9]\r?\n/.test(start.toString('latin1', 0, 10)),
  read: readHeader,
}

interface TextHeader {
  /** Fields by their names in lower case. */
  readonly fields: ReadonlyMap<string, string>
  readonly keys: Readonly<Record<string, string>>
  /** The lines after `data file: LIST`. */
  readonly files: readonly string[]
  readonly byteLength: number
}

async function readText({ path, start }: HeaderSource): Promise<TextHeader> {
  let bytes = await start(4096)
  let end = endOf(bytes)
  if (end === undefined && bytes.length === 4096) {
    bytes = await start(LONGEST_HEADER)
    end = endOf(bytes)
  }
  // A header of its own may end with its last line.
  if (end === undefined && bytes.length === LONGEST_HEADER)
    invalid(path, `a header that has no end within ${LONGEST_HEADER} bytes`)
  const lines = bytes.toString('utf8', 0, end ?? bytes.length).split(/\r?\n/)
  const fields = new Map<string, string>()
  const keys = new Map<string, string>()
  const files: string[] = []
  let isList = false
  for (const line of lines.slice(1)) {
    if (line === '' || line.startsWith('#')) continue
    if (isList) {
      files.push(line)
      continue
    }
    const [, key, value] = /^(.*?):=(.*)$/.exec(line) ?? []
    if (key !== undefined && !/^[^:]*: /.test(line)) {
      keys.set(key, value as string)
      continue
    }
    const [, name = '', text = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? []
    fields.set(name.trim().toLowerCase(), text.trim())
    isList = /^data ?file$/i.test(name.trim()) && /^LIST\b/.test(text)
  }
  return { fields, keys: Object.fromEntries(keys), files, byteLength: end ?? bytes.length }
}

/** The place after the empty line that ends a header. */
function endOf(bytes: Buffer): number | undefined {
  const found = /\r?\n\r?\n/.exec(bytes.toString('latin1'))
  return found === null ? undefined : found.index + found[0].length
}

async function readHeader(source: HeaderSource): Promise<FlatLayout> {
  const { path } = source
  const header = await readText(source)
  const field = (name: string) => header.fields.get(name)
  const dtype = TYPES.get(field('type')?.toLowerCase() ?? '')
  if (dtype === undefined)
    unsupported(
      path,
      `has elements of the type "${field('type') ?? 'none'}"`,
      'Bellis reads integers and floats; convert it to one of these',
    )
  const lengths = checkedShape(path, numbersIn(field('sizes')) ?? [], dtype)
  if (Number(field('dimension')) !== lengths.length) {
    invalid(path, `${lengths.length} sizes for the dimension ${field('dimension') ?? 'none'}`)
  }
  const axes = axesOf(header.fields, lengths.length)
  const order = channelsFirst(axes)
  const strides = stridesFromFastest(lengths, BYTES_PER_ELEMENT[dtype])
  const encoding = field('encoding')?.toLowerCase() ?? 'raw'
  if (!['raw', 'gzip', 'gz'].includes(encoding)) {
    unsupported(
      path,
      `is encoded as ${encoding}`,
      'Bellis reads the encodings raw and gzip: save it as one of these, such as with "unu save -f nrrd -e gzip"',
    )
  }
  const packing = encoding === 'raw' ? (source.compressed ? 'file' : 'none') : 'voxels'
  if (packing === 'voxels' && source.compressed)
    unsupported(path, 'is compressed twice', 'decompress it once: gunzip FILE')
  return {
    dtype,
    bigEndian: /^big$/i.test(field('endian') ?? ''),
    shape: order.map((place) => lengths[place] as number),
    strides: order.map((place) => strides[place] as number),
    stretches: await stretchesOf(source, header, lengths, dtype, packing === 'voxels'),
    packing,
    axes: order.map((place) => axes[place] as ArrayAxis),
    attributes: header.keys,
  }
}

async function stretchesOf(
  source: HeaderSource,
  header: TextHeader,
  lengths: readonly number[],
  dtype: DType,
  compressed: boolean,
): Promise<Stretch[]> {
  const { path, beside, sizeOf } = source
  const { fields } = header
  const skip = (name: string) => fields.get(`${name} skip`) ?? fields.get(`${name}skip`) ?? '0'
  if (skip('line') !== '0')
    unsupported(path, 'skips lines of its data file', 'save it with pynrrd or unu, which write no such lines')
  const bytes = Number(skip('byte'))
  if (!Number.isSafeInteger(bytes) || bytes < -1 || (compressed && bytes !== 0)) {
    unsupported(path, `has the byte skip ${skip('byte')}`, 'save it with pynrrd or unu')
  }
  const total = lengths.reduce((product, length) => product * length, BYTES_PER_ELEMENT[dtype])
  const detached = fields.get('data file') ?? fields.get('datafile')
  if (detached === undefined) {
    if (bytes >= 0) return [{ path, start: header.byteLength + bytes, byteLength: total }]
    // The voxels are the last bytes of the file.
    if (source.compressed)
      unsupported(path, 'has the byte skip -1, and is compressed', 'decompress it once: gunzip FILE')
    const start = Math.max(header.byteLength, (await sizeOf(path)) - total)
    return [{ path, start, byteLength: total }]
  }
  const names = filesOf(path, detached, header.files)
  if (total % names.length !== 0) invalid(path, `${names.length} data files for ${lengths.join(' × ')} voxels`)
  const byteLength = total / names.length
  const stretches: Stretch[] = []
  for (const name of names) {
    const file = beside(name)
    const start = bytes === -1 ? Math.max(0, (await sizeOf(file)) - byteLength) : bytes
    stretches.push({ path: file, start, byteLength })
  }
  return stretches
}

/** Data files that a header may name. */
const MOST_FILES = 20_000

/** The names of data files: one, a list of lines, or a pattern such as `slice%03d.raw 1 20 1`. */
function filesOf(path: string, field: string, list: readonly string[]): readonly string[] {
  if (/^LIST\b/.test(field)) {
    return list.length > 0 && list.length <= MOST_FILES ? list : invalid(path, `a list of ${list.length} data files`)
  }
  const [, pattern, first, last, step] =
    /^(\S*%\d{0,2}d\S*)\s+(-?\d+)\s+(-?\d+)\s+(-?\d+)(?:\s+\d+)?$/.exec(field.slice(0, LONGEST_FIELD)) ?? []
  if (pattern === undefined) return [field]
  const [from, by] = [Number(first), Number(step)]
  const count = by === 0 ? 0 : Math.floor((Number(last) - from) / by) + 1
  if (!(count > 0 && count <= MOST_FILES)) invalid(path, `the data files "${field}"`)
  return Array.from({ length: count }, (_, i) =>
    pattern.replace(/%(\d*)d/, (_, width: string) => {
      const number = String(from + i * by)
      return width.startsWith('0') ? number.padStart(Number(width), '0') : number.padStart(Number(width))
    }),
  )
}

/** The axes as they are stored, the fastest first. */
function axesOf(fields: ReadonlyMap<string, string>, rank: number): ArrayAxis[] {
  const kinds = (fields.get('kinds') ?? '').toLowerCase().split(/\s+/)
  const directions = vectorsIn(fields.get('space directions')?.slice(0, LONGEST_FIELD))
  const hasDirections = directions.length === rank
  const spacings = (fields.get('spacings') ?? '').split(/\s+/).map(Number)
  const isChannel = (axis: number): boolean =>
    (hasDirections && directions[axis] === undefined && kinds[axis] !== 'time') ||
    /vector|list|point|colou?r|matrix|complex|quaternion|normal|gradient|scalar|stub/.test(kinds[axis] ?? '')
  const isTime = (axis: number) => kinds[axis] === 'time'
  const inSpace = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !isChannel(axis) && !isTime(axis))
  const names = spaceNames(inSpace.length)
  const units = [...(fields.get('units') ?? '').matchAll(/"([^"]*)"/g)].map(([, unit]) => unit)
  const spaceUnits = [...(fields.get('space units') ?? '').matchAll(/"([^"]*)"/g)].map(([, unit]) => unit)
  const [origin] = vectorsIn(fields.get('space origin')?.slice(0, LONGEST_FIELD))
  return Array.from({ length: rank }, (_, axis): ArrayAxis => {
    if (isChannel(axis)) return { name: axis === 0 || rank < 5 ? 'c' : `c${axis}`, type: 'channel' }
    const direction = hasDirections ? directions[axis] : undefined
    const along = direction?.findIndex((part) => part !== 0) ?? -1
    const isStraight =
      direction !== undefined &&
      along >= 0 &&
      direction.every((part, i) => i === along || part === 0) &&
      (direction[along] as number) > 0
    const scale = direction === undefined ? spacings[axis] : Number(Math.hypot(...direction).toPrecision(15))
    const unit = unitNamed(direction === undefined ? units[axis] : spaceUnits[along])
    const start = isStraight && origin !== undefined && along === inSpace.indexOf(axis) ? origin[along] : undefined
    return axisOf(isTime(axis) ? 't' : (names[inSpace.indexOf(axis)] as string), isTime(axis) ? 'time' : 'space', {
      ...(scale === undefined ? {} : { scale }),
      ...(unit === undefined ? {} : { unit }),
      ...(start === undefined ? {} : { start, of: 'center' }),
    })
  })
}
