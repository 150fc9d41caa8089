import { aligned, ensureBytes, type KernelModule, kernelModule } from '../kernel-module.ts'
import { isFloat, type TypedArray } from '../voxels.ts'
import { foregroundOf } from './foreground.ts'
import type { NumberedRuns } from './plain-runs.ts'
import { MODULE_BASE64 } from './runs.generated.ts'
import type { EarlierRow } from './steps.ts'

interface Exports extends KernelModule {
  toMask(bytes: number, isFloat: number, from: number, to: number, count: number): void
  findRuns(mask: number, rows: number, width: number, place: number, ends: number, runs: number, count: number): number
  uniteRuns(
    runs: number,
    ends: number,
    rows: number,
    width: number,
    rank: number,
    lengths: number,
    index: number,
    steps: number,
    stepCount: number,
  ): void
  numberRuns(runs: number, count: number): number
}

const module = kernelModule<Exports>(MODULE_BASE64)

/** Voxels whose mask is in the module's memory at a time. */
const PART = 2 ** 16
const RUN_BYTES = 12
/** The module's memory has at most 4 GB, and every other voxel may be a run. */
const MOST_VOXELS = 2 ** 29
const LONGEST_ROW = 2 ** 24

/** Whether an array is small enough for {@link withRuns}. */
export const fitsModule = (voxels: number, shape: readonly number[]): boolean =>
  voxels <= MOST_VOXELS && (shape.at(-1) ?? 1) <= LONGEST_ROW

/** What `plainRuns` computes. @param use gets runs that are valid until it returns */
export function withRuns<Result>(
  data: TypedArray,
  shape: readonly number[],
  earlier: readonly EarlierRow[],
  use: (runs: NumberedRuns) => Result,
): Result {
  const width = shape.at(-1) ?? 1
  const outer = shape.slice(0, -1)
  const rows = data.length / width
  const atOnce = Math.min(rows, Math.max(1, Math.floor(PART / width)))
  const table = [
    ...outer,
    ...outer.map(() => 0),
    ...earlier.flatMap(({ step, offset, reach }) => [...step, offset, reach]),
  ]
  const start = 1024
  const mask = start + aligned(table.length * 4)
  const raw = mask + aligned(atOnce * width) + 16
  const ends = raw + aligned(atOnce * width * data.BYTES_PER_ELEMENT)
  const runs = ends + aligned((rows + 1) * 4)
  const mostRuns = atOnce * Math.ceil(width / 2)
  return module.lend(runs + mostRuns * RUN_BYTES, (exports) => {
    const { memory, findRuns, uniteRuns, numberRuns } = exports
    new Int32Array(memory.buffer, start, table.length).set(table)
    new Int32Array(memory.buffer, ends, 1).fill(0)
    let count = 0
    for (let row = 0; row < rows; row += atOnce) {
      const some = Math.min(atOnce, rows - row)
      ensureBytes(exports, runs + (count + mostRuns) * RUN_BYTES)
      writeMask(exports, data.subarray(row * width, (row + some) * width), mask, raw)
      count = findRuns(mask, some, width, row * width, ends + 4 * (row + 1), runs, count)
    }
    const [lengths, index, steps] = [start, start + 4 * outer.length, start + 8 * outer.length]
    uniteRuns(runs, ends + 4, rows, width, outer.length, lengths, index, steps, earlier.length)
    const components = numberRuns(runs, count)
    return use({ runs: new Int32Array(memory.buffer, runs, 3 * count), count: components })
  })
}

function writeMask({ memory, toMask }: Exports, part: TypedArray, mask: number, raw: number): void {
  const bytes = part.BYTES_PER_ELEMENT
  const hasFractions = isFloat(part)
  if (bytes === 1 || (hasFractions && bytes === 2)) {
    new Uint8Array(memory.buffer, mask, part.length).set(foregroundOf(part))
    return
  }
  const source = new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  new Uint8Array(memory.buffer, raw, source.length).set(source)
  toMask(bytes, hasFractions ? 1 : 0, raw, mask, part.length)
}
