import { BYTES_PER_ELEMENT, typedArray } from '../core/array/dtype.ts'
import type { Roi } from '../core/geometry/roi.ts'
import type { Sample } from '../core/view/appearance.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'

const MOST_CHUNKS = 12
const MOST_DECODED_BYTES = 128 * 2 ** 20
const MOST_VOXELS = 2 ** 18
const MOST_MS = 2000

/**
 * Reads a few boxes spread over an array, the first in its middle. A box takes one chunk, so this is fast for any size. Boxes with a single
 * value (outside the tissue, or not written yet) are left out if there are others, and so are unreadable ones.
 * @param onError called for each unreadable box
 * @throws the error of the first box if none can be read
 */
export async function sampleVoxels(array: ChunkedArray, onError: (error: unknown) => void): Promise<readonly Sample[]> {
  const chunkBytes = array.chunkShape.reduce((bytes, length) => bytes * length, BYTES_PER_ELEMENT[array.dtype])
  const count = Math.max(1, Math.min(MOST_CHUNKS, Math.floor(MOST_DECODED_BYTES / chunkBytes)))
  const startedAt = performance.now()
  const samples: Sample[] = []
  const errors: unknown[] = []
  for (const box of boxes(array, count)) {
    const voxels = box.shape.reduce((product, length) => product * length, 1)
    const data = typedArray(array.dtype, voxels)
    try {
      await array.readVoxels(box, data)
      samples.push({ data, rowLength: box.shape.at(-1) as number })
    } catch (error) {
      errors.push(error)
    }
    if (performance.now() - startedAt > MOST_MS) break
  }
  if (samples.length === 0 && errors.length > 0) throw errors[0]
  errors.forEach(onError)
  const varied = samples.filter(({ data }) => data.some((value) => value !== data[0]))
  return varied.length > 0 ? varied : samples
}

/** Boxes in different chunks, spread evenly by a Halton sequence that starts in the middle. */
function* boxes({ shape, chunkShape }: ChunkedArray, count: number): Generator<Roi<'voxel'>> {
  if (shape.some((length) => length === 0)) return
  const seen = new Set<string>()
  // Several points may fall into the same chunk, especially in small arrays.
  for (let point = 1; point <= 2 * count && seen.size < count; point++) {
    const chunk = shape.map((length, axis) => {
      const chunks = Math.ceil(length / (chunkShape[axis] as number))
      return Math.floor(halton(point, PRIMES[axis % PRIMES.length] as number) * chunks)
    })
    if (seen.has(chunk.join())) continue
    seen.add(chunk.join())
    yield middleOf(chunk, shape, chunkShape)
  }
}

const PRIMES = [2, 3, 5, 7, 11]

/** Between 0 and 1; the first point is 0.5 in every base. */
function halton(point: number, base: number): number {
  let fraction = 1
  let value = 0
  for (let rest = point; rest > 0; rest = Math.floor(rest / base)) {
    fraction /= base
    value += fraction * (rest % base)
  }
  return (value + 1.5 - 1 / base) % 1
}

/** A box in the middle of a chunk, with complete rows if they fit. */
function middleOf(chunk: readonly number[], shape: readonly number[], chunkShape: readonly number[]): Roi<'voxel'> {
  const start = chunk.map((index, axis) => index * (chunkShape[axis] as number))
  const available = start.map((first, axis) => Math.min(chunkShape[axis] as number, (shape[axis] as number) - first))
  let voxels = MOST_VOXELS
  const lengths = [...available]
  for (let axis = available.length - 1; axis >= 0; axis--) {
    lengths[axis] = Math.max(1, Math.min(available[axis] as number, voxels))
    voxels = Math.floor(voxels / (lengths[axis] as number))
  }
  const offset = start.map(
    (first, axis) => first + Math.floor(((available[axis] as number) - (lengths[axis] as number)) / 2),
  )
  return { offset, shape: lengths }
}
