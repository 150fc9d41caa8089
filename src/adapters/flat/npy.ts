import { BYTES_PER_ELEMENT, type DType, parseDType } from '../../core/array/dtype.ts'
import {
  checkedShape,
  type FlatKind,
  type FlatLayout,
  type HeaderSource,
  invalid,
  stridesFromFastest,
  unsupported,
} from './flat-layout.ts'

const MAGIC = Buffer.from('\u0093NUMPY', 'latin1')

/** The longest header of a plain array; those of structured types may be longer. */
const LONGEST_HEADER = 65_536

const KINDS: Readonly<Record<string, string>> = { b: 'bool', i: 'int', u: 'uint', f: 'float' }

/** NumPy's `.npy` files, versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
export const npy: FlatKind = {
  format: 'npy',
  suffix: /\.npy$/i,
  matches: (start) => start.subarray(0, MAGIC.length).equals(MAGIC),
  read: readHeader,
}

async function readHeader({ path, start, compressed }: HeaderSource): Promise<FlatLayout> {
  const fixed = await start(12)
  const version = fixed[6] ?? 0
  if (fixed.length < 12 || version < 1 || version > 3) invalid(path, `the version ${version} of NumPy's format`)
  const [from, length] = version === 1 ? [10, fixed.readUInt16LE(8)] : [12, fixed.readUInt32LE(8)]
  if (length > LONGEST_HEADER) invalid(path, `a header of ${length} bytes`)
  const header = (await start(from + length)).subarray(from)
  if (header.length < length) invalid(path, 'a header that is not complete')
  const text = header.toString(version === 3 ? 'utf8' : 'latin1')
  const { dtype, bigEndian } = elementsOf(path, text)
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1]
  const lengths = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1]
  if (order === undefined || lengths === undefined) invalid(path, 'a header without "shape" or "fortran_order"')
  const shape = lengths.split(',').flatMap((item) => (item.trim() === '' ? [] : [Number.parseInt(item, 10)]))
  if (shape.length === 0) unsupported(path, 'is a single value', 'an array needs one axis or more')
  checkedShape(path, shape, dtype)
  const size = BYTES_PER_ELEMENT[dtype]
  const strides =
    order === 'True' ? stridesFromFastest(shape, size) : stridesFromFastest(shape.toReversed(), size).toReversed()
  const byteLength = shape.reduce((product, length) => product * length, BYTES_PER_ELEMENT[dtype])
  return {
    dtype,
    bigEndian,
    shape,
    strides,
    stretches: [{ path, start: from + length, byteLength }],
    packing: compressed ? 'file' : 'none',
    axes: shape.map((_, axis) => ({ name: `d${axis}`, type: 'space' })),
    attributes: {},
  }
}

function elementsOf(path: string, header: string): { dtype: DType; bigEndian: boolean } {
  const [, order, kind = '', bytes] = /'descr'\s*:\s*'([<>|=])([biuf])(\d+)'/.exec(header) ?? []
  const name = kind === 'b' ? 'bool' : `${KINDS[kind]}${8 * Number(bytes)}`
  if (order === undefined || !Object.hasOwn(BYTES_PER_ELEMENT, name)) {
    const descr = /'descr'\s*:\s*('[^']*'|\[.*?\])/s.exec(header)?.[1] ?? 'unknown'
    unsupported(
      path,
      `has elements of type ${descr}`,
      'Bellis reads integers, floats and bools: save it as one of these',
    )
  }
  return { dtype: parseDType(name), bigEndian: order === '>' }
}
