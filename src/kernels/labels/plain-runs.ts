import { DisjointSets } from './disjoint-sets.ts'
import type { EarlierRow } from './steps.ts'

/** Runs of foreground, numbered by their components. */
export interface NumberedRuns {
  /** Three for each run: the place of its first voxel, that behind its last one, and the number of its component, from 1. */
  readonly runs: Int32Array
  /** How many components there are. */
  readonly count: number
}

/**
 * The runs of foreground along the last axis, numbered by components: in plain TypeScript, for arrays that are too large for
 * WebAssembly, and what its results are compared with.
 * @param mask one byte per voxel, 0 for the background
 * @param earlier the rows that a row may touch
 */
export function plainRuns(mask: Uint8Array, shape: readonly number[], earlier: readonly EarlierRow[]): NumberedRuns {
  const found = findRuns(mask, shape.at(-1) ?? 1)
  const { starts, ends, count } = found
  const { numbers, count: components } = uniteRuns(found, shape, earlier).numberSets()
  const runs = new Int32Array(3 * count)
  for (let run = 0; run < count; run++) {
    runs[3 * run] = starts[run]!
    runs[3 * run + 1] = ends[run]!
    runs[3 * run + 2] = numbers[run]!
  }
  return { runs, count: components }
}

/** The runs of foreground along the last axis, in C order. */
interface Runs {
  readonly count: number
  /** Places of the first voxel of each run, and behind the last one, in the whole array. */
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** The number of the first run of each row; one entry more than rows. */
  readonly rows: Int32Array
}

/** Four voxels that are 1. */
const ONES = 0x01010101

function findRuns(given: Uint8Array, width: number): Runs {
  // Long runs of 0 and 1 are passed over in steps of four voxels.
  const mask = given.byteOffset % 4 === 0 ? given : given.slice()
  const fours = new Uint32Array(mask.buffer, mask.byteOffset, Math.floor(mask.length / 4))
  let starts = new Int32Array(1024)
  let ends = new Int32Array(1024)
  const rows = new Int32Array(mask.length / width + 1)
  let count = 0
  for (let row = 0, from = 0; from < mask.length; row++) {
    const end = from + width
    if (count + width > starts.length) {
      starts = enlarged(starts, count + width)
      ends = enlarged(ends, count + width)
    }
    for (let at = from; ; ) {
      while (at < end && mask[at] === 0) at = at % 4 === 0 && at + 4 <= end && fours[at / 4] === 0 ? at + 4 : at + 1
      if (at === end) break
      starts[count] = at
      while (at < end && mask[at] !== 0) at = at % 4 === 0 && at + 4 <= end && fours[at / 4] === ONES ? at + 4 : at + 1
      ends[count++] = at
    }
    rows[row + 1] = count
    from = end
  }
  return { count, starts, ends, rows }
}

function enlarged(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(Math.max(length, 2 * from.length))
  to.set(from)
  return to
}

/** Unites the numbers of runs that touch. */
function uniteRuns(runs: Runs, shape: readonly number[], earlier: readonly EarlierRow[]): DisjointSets {
  const width = shape.at(-1) ?? 1
  const outer = shape.slice(0, -1)
  const sets = new DisjointSets(runs.count)
  const index = outer.map(() => 0)
  for (let row = 0; row + 1 < runs.rows.length; row++) {
    for (const { step, offset, reach } of earlier) {
      if (!step.every((by, axis) => isInside(index[axis]! + by, outer[axis]!))) continue
      uniteRows(runs, row, offset, offset * width, reach, sets)
    }
    for (let axis = outer.length - 1; axis >= 0 && ++index[axis]! === outer[axis]; axis--) index[axis] = 0
  }
  return sets
}

/** Unites the runs of a row with those of an earlier one. @param by how far the earlier row's voxels are away */
function uniteRows(runs: Runs, row: number, offset: number, by: number, reach: number, sets: DisjointSets): void {
  const { starts, ends, rows } = runs
  let other = rows[row + offset]!
  const [last, lastOther] = [rows[row + 1]!, rows[row + offset + 1]!]
  for (let run = rows[row]!; run < last && other < lastOther; ) {
    const [start, end] = [starts[run]! + by - reach, ends[run]! + by + reach]
    if (ends[other]! <= start) {
      other++
    } else if (starts[other]! >= end) {
      run++
    } else {
      sets.unite(other, run)
      // The run that ends first can touch nothing more in the other row. With diagonal neighbours both may.
      if (ends[other]! < end) other++
      else run++
    }
  }
}

const isInside = (index: number, length: number): boolean => index >= 0 && index < length
