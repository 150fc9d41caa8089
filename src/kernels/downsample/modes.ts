import type { LargeIntegers, TypedArray } from '../voxels.ts'

/** Integers of at most 32 bits. */
export type SmallIntegers = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array

/** A row of cells: the voxels of cell x in one of its rows start at `from + row + x · across`. */
export interface CellRow {
  readonly from: number
  /** Where the rows of a cell start, relative to `from`. */
  readonly rows: Int32Array
  readonly across: number
  readonly count: number
  /** Of the first result. */
  readonly to: number
}

/** Up to this many voxels in a cell, comparing each with each is faster than sorting. */
export const MOST_COMPARED = 32

export const areSmallIntegers = (data: TypedArray): data is SmallIntegers =>
  /^U?[Ii]nt(8|16|32)(Clamped)?Array$/.test(data[Symbol.toStringTag])

/** The most frequent value of each cell of a row, the smallest one in a tie. Cells have at most 32 voxels. */
export function modesOfRow(data: SmallIntegers, out: SmallIntegers, { from, rows, across, count, to }: CellRow): void {
  const values = new Float64Array(rows.length * across)
  const [first, last] = [from + rows[0]!, rows.length - 1]
  for (let x = 0; x < count; x++) {
    const start = x * across
    const value = data[first + start]!
    let isSame = true
    // Labels change fastest between the first and the last row.
    for (let row = last; row >= 0 && isSame; row--) {
      const at = from + rows[row]! + start
      for (let i = 0; i < across; i++) if (data[at + i] !== value) isSame = false
    }
    if (isSame) {
      out[to + x] = value
      continue
    }
    for (let row = 0, i = 0; row <= last; row++) {
      for (let at = from + rows[row]! + start, end = at + across; at < end; at++) values[i++] = data[at]!
    }
    out[to + x] = modeOf(values)
  }
}

function modeOf(values: Float64Array): number {
  const length = values.length
  let [best, most] = [values[0]!, 0]
  for (let i = 0; length - i >= most; i++) {
    const value = values[i]!
    let same = 1
    for (let j = i + 1; j < length; j++) if (values[j] === value) same++
    if (same > most || (same === most && value < best)) {
      best = value
      most = same
    }
    if (2 * most > length) break
  }
  return best
}

/** The same for 64 bits, in halves of 32, because `bigint` is slow. */
export function largeModesOfRow(
  data: LargeIntegers,
  out: LargeIntegers,
  { from, rows, across, count, to }: CellRow,
): void {
  const halves = new Int32Array(data.buffer, data.byteOffset, 2 * data.length)
  const results = new Int32Array(out.buffer, out.byteOffset, 2 * out.length)
  const votes = new LargeVotes(rows.length * across, data instanceof BigInt64Array)
  const [first, last] = [from + rows[0]!, rows.length - 1]
  for (let x = 0; x < count; x++) {
    const start = x * across
    const [low, high] = [halves[2 * (first + start)]!, halves[2 * (first + start) + 1]!]
    let isSame = true
    for (let row = last; row >= 0 && isSame; row--) {
      const at = 2 * (from + rows[row]! + start)
      for (let i = at; i < at + 2 * across; i += 2) if (halves[i] !== low || halves[i + 1] !== high) isSame = false
    }
    let place = 2 * (first + start)
    if (!isSame) {
      votes.clear()
      for (let row = 0; row <= last; row++) {
        const at = 2 * (from + rows[row]! + start)
        for (let i = at; i < at + 2 * across; i += 2) votes.add(halves, i)
      }
      place = votes.winner()
    }
    results[2 * (to + x)] = halves[place]!
    results[2 * (to + x) + 1] = halves[place + 1]!
  }
}

/** The votes of one cell. */
class LargeVotes {
  readonly #lows: Int32Array
  readonly #highs: Int32Array
  readonly #places: Int32Array
  /** Flips the sign bit of high halves, so that unsigned ones compare as signed ones do. */
  readonly #flip: number
  #count = 0

  constructor(most: number, isSigned: boolean) {
    this.#lows = new Int32Array(most)
    this.#highs = new Int32Array(most)
    this.#places = new Int32Array(most)
    this.#flip = isSigned ? 0 : 0x8000_0000 | 0
  }

  clear(): void {
    this.#count = 0
  }

  add(halves: Int32Array, place: number): void {
    // Low halves are unsigned in both types.
    this.#lows[this.#count] = halves[place]! ^ 0x8000_0000
    this.#highs[this.#count] = halves[place + 1]! ^ this.#flip
    this.#places[this.#count++] = place
  }

  /** @returns the place of the most frequent value */
  winner(): number {
    const [lows, highs, length] = [this.#lows, this.#highs, this.#count]
    let [best, most] = [0, 0]
    for (let i = 0; length - i >= most; i++) {
      const [low, high] = [lows[i]!, highs[i]!]
      let same = 1
      for (let j = i + 1; j < length; j++) if (lows[j] === low && highs[j] === high) same++
      const isLess = high < highs[best]! || (high === highs[best] && low < lows[best]!)
      if (same > most || (same === most && isLess)) {
        best = i
        most = same
      }
      if (2 * most > length) break
    }
    return this.#places[best]!
  }
}
