import { type CreateVolumeOptions, type DType, roi, type TypedArray, type VolumeArray } from '../entry/index.ts'

/** The options of an array with one row of numbers per block: intermediate results that one task writes and another reads. */
export function rowsArray(dtype: DType, rows: number, rowLength: number, chunk: number): CreateVolumeOptions {
  const length = Math.min(chunk, rowLength)
  // Whole chunks, so that no two rows share one.
  const shape = [rows, Math.ceil(rowLength / length) * length]
  return { dtype, shape, chunkShape: [1, length], axisNames: ['block', 'entry'], codec: 'zstd:1' }
}

/** Reads `length` entries of a row. */
export async function readRow(
  array: VolumeArray,
  row: number,
  from: number,
  length: number,
  signal: AbortSignal,
): Promise<TypedArray> {
  return (await array.read(entries(array, row, from, length), { signal })).data
}

/** Writes the first entries of a row. */
export async function writeRow(array: VolumeArray, row: number, data: TypedArray, signal: AbortSignal): Promise<void> {
  if (data.length > 0) await array.write(entries(array, row, 0, data.length), data, { signal })
}

function entries({ voxelSize: [row = 1, entry = 1] }: VolumeArray, index: number, from: number, length: number) {
  return roi([index * row, from * entry], [row, length * entry])
}
