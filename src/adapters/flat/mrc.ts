import { BYTES_PER_ELEMENT, type DType } from '../../core/array/dtype.ts'
import type { ArrayAxis } from '../../ports/chunked-array.ts'
import {
  axisOf,
  checkedShape,
  type FlatKind,
  type FlatLayout,
  type HeaderSource,
  invalid,
  shortDecimal,
  stridesFromFastest,
  textOf,
  unsupported,
} from './flat-layout.ts'

const HEADER_BYTES = 1024

const MODES: Readonly<Record<number, DType>> = {
  0: 'int8', 1: 'int16', 2: 'float32', 6: 'uint16', 12: 'float16',
} // biome-ignore format: a table

const REFUSED: Readonly<Record<number, string>> = {
  3: 'complex integers', 4: 'complex floats', 16: 'red, green and blue bytes', 101: 'integers of 4 bits',
} // biome-ignore format: a table

/** The stamp of IMOD, which says in a flag whether bytes have a sign. */
const IMOD_STAMP = 1146047817

/** MRC2014 and CCP4 maps: https://www.ccpem.ac.uk/mrc-format/mrc2014/; bytes without a sign as IMOD marks them. */
export const mrc: FlatKind = {
  format: 'mrc',
  suffix: /\.(mrcs?|ccp4)(\.gz)?$/i,
  matches: (start) => start.toString('latin1', 208, 212) === 'MAP ',
  read: readHeader,
}

/** @returns whether numbers are big-endian, by the machine stamp and, where a writer left it out, by the mode */
function isBigEndian(header: Buffer): boolean {
  const [first, second] = [header[212], header[213]]
  if (first === 0x11 && second === 0x11) return true
  if (first === 0x44 && (second === 0x44 || second === 0x41)) return false
  const isMode = (mode: number) => mode in MODES || mode in REFUSED
  return !isMode(header.readInt32LE(12)) && isMode(header.readInt32BE(12))
}

async function readHeader({ path, start, compressed }: HeaderSource): Promise<FlatLayout> {
  const header = await start(HEADER_BYTES)
  if (header.length < HEADER_BYTES) invalid(path, `${header.length} bytes, fewer than the header of an MRC file`)
  const bigEndian = isBigEndian(header)
  const int = (offset: number) => (bigEndian ? header.readInt32BE(offset) : header.readInt32LE(offset))
  const float = (offset: number) => shortDecimal(bigEndian ? header.readFloatBE(offset) : header.readFloatLE(offset))
  const mode = int(12)
  const isUnsigned = mode === 0 && int(152) === IMOD_STAMP && (int(156) & 1) === 0
  const dtype = isUnsigned ? 'uint8' : MODES[mode]
  if (dtype === undefined) {
    const what = REFUSED[mode] ?? `elements of the unknown mode ${mode}`
    unsupported(path, `contains ${what}`, 'Bellis reads the modes 0, 1, 2, 6 and 12; convert it to one of these')
  }
  const extended = int(92)
  if (extended < 0) invalid(path, `an extended header of ${extended} bytes`)
  const columns = [int(0), int(4), int(8)]
  checkedShape(path, columns, dtype)
  const axes = axesOf(int, float)
  const { shape, all } = stackOf(path, columns, axes, int(88), int(36))
  const strides = stridesFromFastest(shape.toReversed(), BYTES_PER_ELEMENT[dtype]).toReversed()
  const byteLength = shape.reduce((product, length) => product * length, BYTES_PER_ELEMENT[dtype])
  const labels = labelsOf(header, int(220))
  return {
    dtype,
    bigEndian,
    shape,
    strides,
    stretches: [{ path, start: HEADER_BYTES + extended, byteLength }],
    packing: compressed ? 'file' : 'none',
    axes: all,
    attributes: labels.length === 0 ? {} : { labels },
  }
}

/** The three axes of the file, slowest first. */
function axesOf(int: (offset: number) => number, float: (offset: number) => number): ArrayAxis[] {
  const mapped = [int(64), int(68), int(72)]
  const order = mapped.toSorted().join() === '1,2,3' ? mapped : [1, 2, 3]
  const origins = [float(196), float(200), float(204)]
  const hasOrigin = origins.some((value) => value !== 0)
  return order
    .map((axis, place) => {
      const samples = int(28 + 4 * (axis - 1))
      const cell = float(40 + 4 * (axis - 1))
      // A quotient of two 32-bit floats has seven digits.
      const scale = Number((cell / samples).toPrecision(7))
      const first = hasOrigin ? (origins[axis - 1] as number) : Number((int(16 + 4 * place) * scale).toPrecision(9))
      return axisOf('xyz'[axis - 1] as string, 'space', { scale, unit: 'angstrom', start: first })
    })
    .toReversed()
}

/** Images and stacks as mrcfile reads them: a single image has two axes, and a stack of volumes has four. */
function stackOf(
  path: string,
  [columns = 0, rows = 0, sections = 0]: readonly number[],
  axes: readonly ArrayAxis[],
  spaceGroup: number,
  perVolume: number,
): { shape: number[]; all: ArrayAxis[] } {
  const shape = [sections, rows, columns]
  if (spaceGroup === 0 && sections === 1) return { shape: [rows, columns], all: axes.slice(1) }
  if (spaceGroup < 401 || spaceGroup > 630) return { shape, all: [...axes] }
  if (perVolume < 1 || sections % perVolume !== 0) {
    invalid(path, `${sections} sections, which are no whole number of volumes of ${perVolume}`)
  }
  return {
    shape: [sections / perVolume, perVolume, rows, columns],
    all: [{ name: 'volume', type: 'channel' }, ...axes],
  }
}

function labelsOf(header: Buffer, count: number): string[] {
  const all = Array.from({ length: Math.min(10, Math.max(0, count)) }, (_, i) =>
    textOf(header.subarray(224 + 80 * i, 304 + 80 * i)),
  )
  return all.filter((label) => label !== '')
}
