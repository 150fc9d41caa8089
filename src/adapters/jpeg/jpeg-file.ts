import { CodecError } from '../codecs/codec.ts'
import { HuffmanTable, ScanBits } from './huffman.ts'
import { inverseCosine } from './inverse-cosine.ts'
import { upsample } from './upsample.ts'

/** What an image has. */
export interface JpegImage {
  readonly width: number
  readonly height: number
  /** 1 for grey, 3 for red, green and blue. */
  readonly samples: number
}

interface Component {
  readonly id: number
  /** Blocks of it in a unit of the scan. */
  readonly across: number
  readonly down: number
  readonly quantization: number
  dc?: HuffmanTable | undefined
  ac?: HuffmanTable | undefined
}

interface Frame extends JpegImage {
  readonly components: readonly Component[]
}

/** The place of each coefficient, which are written from low to high frequencies. */
const ORDER = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21],
  ...[28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61],
  ...[54, 47, 55, 62, 63],
)

/**
 * Decodes a JPEG image of 8 bits, sequential and in one scan, as most programs write them.
 * @param check refuses an image of another size before memory is allocated for it
 * @returns its samples, those of a pixel beside each other: exactly those of the reference library
 * @throws CodecError, and what `check` throws
 */
export function decodeJpeg(bytes: Uint8Array, check: (image: JpegImage) => void): Uint8Array {
  const tables = { quantization: [] as Int32Array[], dc: [] as HuffmanTable[], ac: [] as HuffmanTable[] }
  let frame: Frame | undefined
  let interval = 0
  let transform: number | undefined
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new CodecError('it is no JPEG image')
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++
    const [marker, length] = [bytes[at + 1], ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)]
    const segment = bytes.subarray(at + 4, at + 2 + length)
    if (bytes[at] !== 0xff || marker === undefined || length < 2 || segment.length < length - 2) {
      throw new CodecError('its image is truncated')
    }
    at += 2 + length
    if (marker === 0xdb) readQuantization(segment, tables.quantization)
    else if (marker === 0xc4) readHuffman(segment, tables)
    else if (marker === 0xc0 || marker === 0xc1) {
      frame = readFrame(segment)
      check(frame)
    } else if (marker === 0xdd) interval = ((segment[0] ?? 0) << 8) | (segment[1] ?? 0)
    else if (marker === 0xee && Buffer.from(segment).toString('latin1', 0, 5) === 'Adobe') transform = segment[11]
    else if (marker === 0xda) {
      if (frame === undefined) throw new CodecError('its image has no size')
      readScan(segment, frame, tables)
      return decodeScan(new ScanBits(bytes, at), frame, tables.quantization, { interval, transform })
    } else if (marker >= 0xc2 && marker <= 0xcf) {
      throw new CodecError(`its image is ${marker === 0xc2 ? 'a progressive' : 'an unusual'} JPEG, which is not read`)
    }
  }
}

function readQuantization(segment: Uint8Array, tables: Int32Array[]): void {
  for (let at = 0; at < segment.length; ) {
    const kind = segment[at++] as number
    const size = kind >> 4 === 0 ? 1 : 2
    if (at + 64 * size > segment.length || (kind & 15) > 3) throw new CodecError('a table of its image is damaged')
    const table = new Int32Array(64)
    for (let i = 0; i < 64; i++, at += size) {
      const high = size === 1 ? 0 : (segment[at] as number) << 8
      table[ORDER[i] as number] = high | (segment[at + size - 1] as number)
    }
    tables[kind & 15] = table
  }
}

function readHuffman(
  segment: Uint8Array,
  { dc, ac }: { readonly dc: HuffmanTable[]; readonly ac: HuffmanTable[] },
): void {
  for (let at = 0; at < segment.length; ) {
    const kind = segment[at] as number
    const counts = segment.subarray(at + 1, at + 17)
    const count = counts.reduce((sum, each) => sum + each, 0)
    const symbols = segment.subarray(at + 17, at + 17 + count)
    if (counts.length < 16 || symbols.length < count || kind >> 4 > 1 || (kind & 15) > 3) {
      throw new CodecError('a table of its image is damaged')
    }
    ;(kind >> 4 === 0 ? dc : ac)[kind & 15] = new HuffmanTable(counts, symbols)
    at += 17 + count
  }
}

function readFrame(segment: Uint8Array): Frame {
  const [bits, h1, h0, w1, w0, count = 0] = segment as unknown as number[]
  const [height, width] = [((h1 ?? 0) << 8) | (h0 ?? 0), ((w1 ?? 0) << 8) | (w0 ?? 0)]
  if (bits !== 8) throw new CodecError(`its image has ${bits} bits for each sample, expected 8`)
  if ((count !== 1 && count !== 3) || segment.length < 6 + 3 * count || width * height === 0) {
    throw new CodecError(`its image has ${width} × ${height} pixels of ${count} samples, expected 1 or 3`)
  }
  const components = Array.from({ length: count }, (_, index) => {
    const [id = 0, factors = 0, quantization = 0] = segment.subarray(6 + 3 * index)
    // The only block of a unit is a unit, whatever it is called.
    const [across, down] = count === 1 ? [1, 1] : [factors >> 4, factors & 15]
    if (across < 1 || down < 1 || across > 4 || down > 4) throw new CodecError('its image has damaged components')
    return { id, across, down, quantization }
  })
  const most = (of: 'across' | 'down') => Math.max(...components.map((each) => each[of]))
  if (components.some((each) => most('across') % each.across !== 0 || most('down') % each.down !== 0)) {
    throw new CodecError('its image has samples between pixels, which are not read')
  }
  return { width, height, samples: count, components }
}

function readScan(
  segment: Uint8Array,
  { components }: Frame,
  { dc, ac }: { readonly dc: readonly HuffmanTable[]; readonly ac: readonly HuffmanTable[] },
): void {
  if (segment[0] !== components.length) throw new CodecError('its image has several scans, which are not read')
  for (const [index, component] of components.entries()) {
    const [id, kinds = 0] = segment.subarray(1 + 2 * index)
    if (id !== component.id) throw new CodecError('its image has components in another order')
    component.dc = dc[kinds >> 4]
    component.ac = ac[kinds & 15]
  }
}

interface ScanOptions {
  /** Units between restarts; 0 for none. */
  readonly interval: number
  /** What Adobe's programs say of the colors: 0 for red, green and blue as they are. */
  readonly transform: number | undefined
}

function decodeScan(
  bits: ScanBits,
  { width, height, components }: Frame,
  quantization: readonly Int32Array[],
  { interval, transform }: ScanOptions,
): Uint8Array {
  const [across, down] = [Math.max(...components.map((c) => c.across)), Math.max(...components.map((c) => c.down))]
  const [columns, rows] = [Math.ceil(width / (8 * across)), Math.ceil(height / (8 * down))]
  const planes = components.map((component) => {
    const stride = columns * component.across * 8
    const table = quantization[component.quantization]
    const { dc, ac } = component
    if (table === undefined || dc === undefined || ac === undefined) throw new CodecError('its image lacks a table')
    return { ...component, table, dc, ac, stride, samples: new Uint8Array(stride * rows * component.down * 8), last: 0 }
  })
  const block = new Int32Array(64)
  for (let unit = 0; unit < columns * rows; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      bits.restart()
      for (const plane of planes) plane.last = 0
    }
    const [column, row] = [unit % columns, Math.floor(unit / columns)]
    for (const plane of planes) {
      for (let y = 0; y < plane.down; y++) {
        for (let x = 0; x < plane.across; x++) {
          plane.last = readBlock(bits, plane, block, plane.last)
          const at = ((row * plane.down + y) * plane.stride + column * plane.across + x) * 8
          inverseCosine(block, plane.samples, at, plane.stride)
        }
      }
    }
  }
  bits.assertComplete()
  const full = planes.map(({ samples, stride, across: h, down: v }) => {
    const size = { width: Math.ceil((width * h) / across), height: Math.ceil((height * v) / down) }
    return upsample({ samples, stride, ...size }, across / h, down / v, width, height)
  })
  const ids = components.map(({ id }) => String.fromCharCode(id)).join('')
  return full.length === 1 ? (full[0] as Uint8Array) : joined(full, transform === 0 || ids === 'RGB')
}

/** @returns the first coefficient, before it is scaled: that of the next block is the difference to it */
function readBlock(
  bits: ScanBits,
  { table, dc, ac }: { readonly table: Int32Array; readonly dc: HuffmanTable; readonly ac: HuffmanTable },
  block: Int32Array,
  last: number,
): number {
  block.fill(0)
  const width = bits.symbol(dc)
  if (width > 11) throw new CodecError('its image is damaged: a block has too large a coefficient')
  const first = last + bits.signed(width)
  block[0] = Math.imul(first, table[0] as number)
  for (let index = 1; index < 64; index++) {
    const symbol = bits.symbol(ac)
    const size = symbol & 15
    if (size === 0 && symbol !== 0xf0) break
    index += symbol >> 4
    if (size === 0) continue
    if (index > 63) throw new CodecError('its image is damaged: a block has too many coefficients')
    const place = ORDER[index] as number
    block[place] = Math.imul(bits.signed(size), table[place] as number)
  }
  return first
}

/** Samples of a pixel beside each other, from brightness and two colors if they are not red, green and blue already. */
function joined([one, two, three]: readonly Uint8Array[], isRgb: boolean): Uint8Array {
  const [y, cb, cr] = [one, two, three] as [Uint8Array, Uint8Array, Uint8Array]
  const target = new Uint8ClampedArray(3 * y.length)
  for (let at = 0; at < y.length; at++) {
    const [a, b, c] = [y[at] as number, cb[at] as number, cr[at] as number]
    const [blue, red] = [b - 128, c - 128]
    target[3 * at] = isRgb ? a : a + ((91881 * red + 32768) >> 16)
    target[3 * at + 1] = isRgb ? b : a + ((-22554 * blue - 46802 * red + 32768) >> 16)
    target[3 * at + 2] = isRgb ? c : a + ((116130 * blue + 32768) >> 16)
  }
  return new Uint8Array(target.buffer)
}
