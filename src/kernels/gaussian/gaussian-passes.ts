import { emptyLike } from '../voxels.ts'
import { type AxisPass, type FilterableArray, type Stage, withStage } from './gaussian-module.ts'

/** A pass, and the axis that it filters. */
export interface PlannedPass extends AxisPass {
  readonly axis: number
}

/** Bytes that are filtered at a time: along all axes while they are in the cache. */
const PART_BYTES = 8 * 2 ** 20

/**
 * Filters an array part by part, one axis after the other; a pass keeps only its wanted rows. If the first axis does not fit into
 * a part, it is filtered group by group of its rows, each with the rows around it that its results need; if that would take too
 * many of them, in slabs, by a pass of its own over the array.
 * @param source not changed, unless it is `result`
 */
export function runPasses(source: FilterableArray, result: FilterableArray, passes: readonly AxisPass[]): void {
  const room = Math.floor(PART_BYTES / source.BYTES_PER_ELEMENT)
  const [first, ...others] = passes as [AxisPass, ...AxisPass[]]
  if (first.length * first.inner <= room) {
    filterRuns(source, result, passes, room)
    return
  }
  const rows = Math.floor(room / first.inner) - 2 * first.radius
  if (rows >= 2 * first.radius && canBeCut(first) && source.buffer !== result.buffer) {
    filterGroups(source, result, passes, rows)
    return
  }
  const kept = (source.length / first.length) * (first.end - first.begin)
  const middle = kept === result.length ? result : emptyLike(source, kept)
  filterSlabs(source, middle, first, room)
  if (others.length > 0) runPasses(middle, result, others)
}

/** Filters one axis in slabs: the complete axis by some columns of the axes after it. */
function filterSlabs(from: FilterableArray, to: FilterableArray, pass: AxisPass, room: number): void {
  const { length, inner, begin, end } = pass
  const slabs = Math.ceil(inner / Math.max(1, Math.floor(room / length)))
  const width = Math.ceil(inner / slabs)
  withStage(from, length * width, [{ ...pass, inner: width }], ({ part, filter }) => {
    for (let outer = 0; outer * length * inner < from.length; outer++) {
      for (let column = 0; column < inner; column += width) {
        const columns = Math.min(width, inner - column)
        const [first, firstTo] = [outer * length * inner + column, outer * (end - begin) * inner + column]
        for (let l = 0; l < length; l++) copy(from, first + l * inner, part, l * columns, columns)
        filter({ ...pass, inner: columns }, 1)
        for (let l = 0; l < end - begin; l++) copy(part, l * columns, to, firstTo + l * inner, columns)
      }
    }
  })
}

/** Filters several axes, in runs of memory that contain each of them completely. */
function filterRuns(from: FilterableArray, to: FilterableArray, passes: readonly AxisPass[], room: number): void {
  const unit = passes[0]!.length * passes[0]!.inner
  const run = Math.min(from.length, Math.floor(room / unit) * unit)
  withStage(from, run, passes, (stage) => {
    for (let start = 0, at = 0; start < from.length; start += run) {
      const count = Math.min(run, from.length - start)
      copy(from, start, stage.part, 0, count)
      const kept = filterAll(stage, passes, count)
      copy(stage.part, 0, to, at, kept)
      at += kept
    }
  })
}

/** Filters several axes, for some rows of the first one at a time. */
function filterGroups(from: FilterableArray, to: FilterableArray, passes: readonly AxisPass[], rows: number): void {
  const [first, ...others] = passes as [AxisPass, ...AxisPass[]]
  const { length, inner, begin, end, radius } = first
  const most = Math.min(length, rows + 2 * radius)
  withStage(from, most * inner, [{ ...first, length: most }, ...others], (stage) => {
    let at = 0
    for (let start = 0; start < from.length; start += length * inner) {
      for (let row = begin; row < end; row += rows) {
        const behind = Math.min(end, row + rows)
        const low = Math.max(0, row - radius)
        const high = Math.min(length, behind + radius)
        const count = (high - low) * inner
        copy(from, start + low * inner, stage.part, 0, count)
        const pass = {
          ...first,
          length: high - low,
          begin: row - low,
          end: behind - low,
          sources: cutSources(first, low, high),
        }
        const kept = filterAll(stage, [pass, ...others], count)
        copy(stage.part, 0, to, at, kept)
        at += kept
      }
    }
  })
}

/** Whether the rows that extend an axis are near the end that they extend. */
const canBeCut = ({ sources, length, radius }: AxisPass): boolean =>
  sources.every((source, k) => source < 0 || (k < radius ? source <= radius : source >= length - 1 - radius))

/** The sources of some rows of an axis. Beyond a cut end nothing is used. */
const cutSources = ({ sources }: AxisPass, low: number, high: number): Int32Array =>
  sources.map((source) => (source < 0 ? source : Math.min(Math.max(source - low, 0), high - low - 1)))

/** @returns how many elements are left of `count` */
function filterAll({ filter }: Stage, passes: readonly AxisPass[], count: number): number {
  let left = count
  for (const pass of passes) {
    const outer = left / (pass.length * pass.inner)
    filter(pass, outer)
    left = outer * (pass.end - pass.begin) * pass.inner
  }
  return left
}

function copy(from: FilterableArray, start: number, to: FilterableArray, at: number, count: number): void {
  to.set(from.subarray(start, start + count) as never, at)
}
