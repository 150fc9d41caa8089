import { CodecError } from '../codecs/codec.ts'
import { ORDER, type ReadBlock, readerOf, type ScanPart, type ScanState } from './coefficients.ts'
import { HuffmanTable, type ScanBits } from './huffman.ts'

/** What an image has. */
export interface JpegImage {
  readonly width: number
  readonly height: number
  /** 1 for grey, 3 for red, green and blue. */
  readonly samples: number
}

/** One of the components of an image: its coefficients in blocks of 8 × 8. */
export interface Component {
  readonly id: number
  /** Blocks of it in a unit of the scan. */
  readonly across: number
  readonly down: number
  /** Blocks in a row, and in a column, in whole units. */
  readonly columns: number
  readonly rows: number
  /** Samples that belong to the image. */
  readonly width: number
  readonly height: number
  readonly quantization: number
  readonly blocks: Int16Array
  /** The lowest bit of each coefficient that is known; −1 if none is. */
  readonly known: Int8Array
  /** By which coefficients are multiplied: as it was at the first scan. */
  table?: Int32Array
}

export interface Frame extends JpegImage {
  readonly isProgressive: boolean
  /** Units in a row, and in a column. */
  readonly columns: number
  readonly rows: number
  readonly components: readonly Component[]
}

/** The tables that apply from where they are on. */
export class Tables {
  readonly quantization: Int32Array[] = []
  readonly #dc: HuffmanTable[] = []
  readonly #ac: HuffmanTable[] = []

  /** @throws CodecError */
  addQuantization(segment: Uint8Array): void {
    for (let at = 0; at < segment.length; ) {
      const kind = segment[at++] as number
      const size = kind >> 4 === 0 ? 1 : 2
      if (at + 64 * size > segment.length || (kind & 15) > 3) throw new CodecError('a table of its image is damaged')
      const table = new Int32Array(64)
      for (let i = 0; i < 64; i++, at += size) {
        const high = size === 1 ? 0 : (segment[at] as number) << 8
        table[ORDER[i] as number] = high | (segment[at + size - 1] as number)
      }
      this.quantization[kind & 15] = table
    }
  }

  /** @throws CodecError */
  addHuffman(segment: Uint8Array): void {
    for (let at = 0; at < segment.length; ) {
      const kind = segment[at] as number
      const counts = segment.subarray(at + 1, at + 17)
      const count = counts.reduce((sum, each) => sum + each, 0)
      const symbols = segment.subarray(at + 17, at + 17 + count)
      if (counts.length < 16 || symbols.length < count || kind >> 4 > 1 || (kind & 15) > 3) {
        throw new CodecError('a table of its image is damaged')
      }
      ;(kind >> 4 === 0 ? this.#dc : this.#ac)[kind & 15] = new HuffmanTable(counts, symbols)
      at += 17 + count
    }
  }

  /** @param kinds the numbers of the two tables, 4 bits each */
  state(kinds: number): ScanState {
    return { dc: this.#dc[kinds >> 4], ac: this.#ac[kinds & 15], previous: 0, empty: 0 }
  }
}

/** @param check refuses an image of another size before memory is allocated for it @throws CodecError, and what `check` throws */
export function readFrame(segment: Uint8Array, isProgressive: boolean, check: (image: JpegImage) => void): Frame {
  const [bits, h1, h0, w1, w0, count = 0] = segment as unknown as number[]
  const [height, width] = [((h1 ?? 0) << 8) | (h0 ?? 0), ((w1 ?? 0) << 8) | (w0 ?? 0)]
  if (bits !== 8) throw new CodecError(`its image has ${bits} bits for each sample, expected 8`)
  if ((count !== 1 && count !== 3) || segment.length < 6 + 3 * count || width * height === 0) {
    throw new CodecError(`its image has ${width} × ${height} pixels of ${count} samples, expected 1 or 3`)
  }
  const described = Array.from({ length: count }, (_, index) => {
    const [id = 0, factors = 0, quantization = 0] = segment.subarray(6 + 3 * index)
    // The only block of a unit is a unit, whatever it is called.
    const [across, down] = count === 1 ? [1, 1] : [factors >> 4, factors & 15]
    if (across < 1 || down < 1 || across > 4 || down > 4) throw new CodecError('its image has damaged components')
    return { id, across, down, quantization }
  })
  const most = (of: 'across' | 'down') => Math.max(...described.map((each) => each[of]))
  const [across, down] = [most('across'), most('down')]
  if (described.some((each) => across % each.across !== 0 || down % each.down !== 0)) {
    throw new CodecError('its image has samples between pixels, which are not read')
  }
  check({ width, height, samples: count })
  const [columns, rows] = [Math.ceil(width / (8 * across)), Math.ceil(height / (8 * down))]
  const components = described.map((each) => ({
    ...each,
    columns: columns * each.across,
    rows: rows * each.down,
    width: Math.ceil((width * each.across) / across),
    height: Math.ceil((height * each.down) / down),
    blocks: new Int16Array(columns * each.across * rows * each.down * 64),
    known: new Int8Array(64).fill(-1),
  }))
  return { width, height, samples: count, isProgressive, columns, rows, components }
}

/** What a scan has, and of which components. */
interface Scan {
  readonly part: ScanPart
  readonly components: readonly Component[]
  readonly states: readonly ScanState[]
}

/** @param interval units between restarts; 0 for none @throws CodecError */
export function readScan(segment: Uint8Array, frame: Frame, tables: Tables, interval: number, bits: ScanBits): void {
  const scan = scanOf(segment, frame, tables)
  const { part, components, states } = scan
  const read = readerOf(frame.isProgressive, part)
  // A single component has no units, only its own blocks.
  const [only] = components
  const isApart = components.length === 1 && only !== undefined
  const columns = isApart ? Math.ceil(only.width / 8) : frame.columns
  const rows = isApart ? Math.ceil(only.height / 8) : frame.rows
  let left = interval
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      if (interval > 0 && left-- === 0) {
        bits.restart()
        for (const state of states) [state.previous, state.empty] = [0, 0]
        left = interval - 1
      }
      if (isApart) read(bits, states[0] as ScanState, only.blocks, (row * only.columns + column) * 64, part)
      else readUnit(bits, scan, read, row, column)
    }
  }
  bits.assertComplete()
}

function readUnit(bits: ScanBits, { components, states, part }: Scan, read: ReadBlock, row: number, column: number) {
  for (let number = 0; number < components.length; number++) {
    const { across, down, columns, blocks } = components[number] as Component
    for (let y = 0; y < down; y++) {
      const first = (row * down + y) * columns + column * across
      for (let x = 0; x < across; x++) read(bits, states[number] as ScanState, blocks, (first + x) * 64, part)
    }
  }
}

function scanOf(segment: Uint8Array, frame: Frame, tables: Tables): Scan {
  const count = segment[0] ?? 0
  const damaged = () => new CodecError('its image has a damaged scan')
  if (count < 1 || count > 3 || segment.length < 4 + 2 * count) throw damaged()
  const components: Component[] = []
  const states: ScanState[] = []
  for (let index = 0; index < count; index++) {
    const [id, kinds = 0] = segment.subarray(1 + 2 * index)
    const component = frame.components.find((each) => each.id === id && !components.includes(each))
    if (component === undefined) throw damaged()
    const table = tables.quantization[component.quantization]
    if (component.table === undefined && table === undefined) throw new CodecError('its image lacks a table')
    component.table ??= table as Int32Array
    components.push(component)
    states.push(tables.state(kinds))
  }
  const [first = 0, last = 0, bits = 0] = segment.subarray(1 + 2 * count)
  const part = frame.isProgressive ? { first, last, high: bits >> 4, low: bits & 15 } : WHOLE
  if (part.last > 63 || part.first > part.last || part.low > 13) throw damaged()
  if (frame.isProgressive && (part.first === 0 ? part.last > 0 : count > 1)) throw damaged()
  for (const { known } of components) addKnown(known, part)
  return { part, components, states }
}

const WHOLE: ScanPart = { first: 0, last: 63, high: 0, low: 0 }

/** Each scan has bits that none before it had, and all bits between. @throws CodecError */
function addKnown(known: Int8Array, { first, last, high, low }: ScanPart): void {
  for (let index = first; index <= last; index++) {
    const isNext = known[index] === -1 ? high === 0 : known[index] === high && high === low + 1
    if (!isNext) throw new CodecError('its image has scans that do not fit each other')
    known[index] = low
  }
}

/** Whether all bits of all coefficients are known. */
export const isComplete = ({ components }: Frame): boolean =>
  components.every(({ known }) => known.every((low) => low === 0))
