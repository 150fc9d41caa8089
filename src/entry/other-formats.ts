import { closeSync, openSync, readSync } from 'node:fs'
import { quoteShell } from '../core/shell-words.ts'

/** A format that is recognised, to say what a file is, but not read. */
interface OtherFormat {
  /** `a TIFF file` */
  readonly name: string
  /** The names of its files, where their content is not at hand. */
  readonly suffix: RegExp
  /** Whether a file starts like this. @default its name decides */
  readonly matches?: (start: Buffer) => boolean
  /** The command that converts `from` into `to`, for a shell. */
  readonly convert: (from: string, to: string) => string
}

const startsWith =
  (...starts: readonly (string | readonly number[])[]) =>
  (start: Buffer): boolean =>
    starts.some((bytes) => {
      const wanted = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes)
      return start.subarray(0, wanted.length).equals(wanted)
    })
const hasAt =
  (offset: number, ...texts: readonly string[]) =>
  (start: Buffer): boolean =>
    texts.some((text) => start.toString('latin1', offset, offset + text.length) === text)

/** @param read an expression of Python that reads the file `a` into an array, slowest axis first */
const viaPython =
  (modules: string, read: string): OtherFormat['convert'] =>
  (from, to) =>
    `python -c "import sys, zarr, ${modules}; a, b = sys.argv[1:]; zarr.save_array(b, ${read})" ${quoteShell(from)} ${quoteShell(to)}`
const bioformats: OtherFormat['convert'] = (from, to) => `bioformats2raw ${quoteShell(from)} ${quoteShell(to)}`

/** Bytes at the start of a file that are looked at. */
const LOOKED_AT = 132

const FORMATS: readonly OtherFormat[] = [
  {
    name: 'a JPEG image',
    suffix: /\.jpe?g$/i,
    matches: startsWith([0xff, 0xd8, 0xff]),
    convert: viaPython('imageio.v3', 'imageio.v3.imread(a)'),
  },
  {
    name: 'a DICOM file',
    suffix: /\.dcm$/i,
    matches: hasAt(128, 'DICM'),
    convert: bioformats,
  },
  { name: 'a Zeiss CZI file', suffix: /\.czi$/i, matches: startsWith('ZISRAWFILE'), convert: bioformats },
  { name: 'a Nikon ND2 file', suffix: /\.nd2$/i, matches: startsWith([0xda, 0xce, 0xbe, 0x0a]), convert: bioformats },
  { name: 'a Leica LIF file', suffix: /\.lif$/i, convert: bioformats },
  {
    name: 'a NumPy archive',
    suffix: /\.npz$/i,
    convert: viaPython('numpy', 'next(iter(numpy.load(a).values()))'),
  },
  {
    name: 'a zip file',
    suffix: /\.(zip|ozx)$/i,
    matches: startsWith('PK\u0003\u0004'),
    convert: (from, to) => `unzip ${quoteShell(from)} -d ${quoteShell(to)}`,
  },
]

const remedy = (path: string, { name, convert }: OtherFormat): string => {
  const to = `${path.replace(/^.*\//, '').replace(/(\.\w+){1,2}$/, '')}.zarr`
  return `${path} is ${name}, which Bellis does not read; convert it once: ${convert(path, to)}`
}

/**
 * What a file is and how it becomes Zarr, if it is of a format that is known but not read.
 * @param path of a file that can be read
 */
export function describeOtherFile(path: string, start = startOf(path, LOOKED_AT)): string | undefined {
  const bySuffix = FORMATS.find(({ suffix, matches }) => matches === undefined && suffix.test(path))
  const found = bySuffix ?? FORMATS.find(({ matches }) => matches?.(start) === true)
  return found === undefined ? undefined : remedy(path, found)
}

/** The same, from its name or address alone. */
export function describeOtherName(path: string): string | undefined {
  const found = FORMATS.find(({ suffix }) => suffix.test(path))
  return found === undefined ? undefined : remedy(path, found)
}

/** What a folder is that has no Zarr metadata. @param names of its entries */
export function describeOtherFolder(path: string, names: readonly string[]): string | undefined {
  const slices = names.find((name) => /\.jpe?g$/i.test(name))
  if (slices !== undefined) {
    const [, suffix] = /(\.\w+)$/.exec(slices) as unknown as [string, string]
    const read = `numpy.stack([imageio.v3.imread(s) for s in sorted(glob.glob(a + '/*${suffix}'))])`
    const name = `a folder of ${suffix.slice(1)} images`
    return remedy(path, { name, suffix: /$/, convert: viaPython('glob, numpy, imageio.v3', read) })
  }
  return undefined
}

/** The first bytes of a file, or all of a shorter one. */
export function startOf(path: string, byteLength: number): Buffer {
  const start = Buffer.alloc(byteLength)
  const file = openSync(path, 'r')
  try {
    return start.subarray(0, readSync(file, start, 0, byteLength, 0))
  } finally {
    closeSync(file)
  }
}
