import { open } from 'node:fs/promises'
import { BYTES_PER_ELEMENT, bytesOf, type DType, typedArray } from '../../../core/array/dtype.ts'
import { productOf } from '../../../core/geometry/coordinate.ts'
import { intersectRoi, type Roi, roi } from '../../../core/geometry/roi.ts'
import type { ChunkedArray } from '../../../ports/chunked-array.ts'
import { chunksMeeting, indicesOf, voxelsOfChunks } from '../chunk-boxes.ts'
import { HDF5_CLASS } from '../library.ts'
import { Hdf5Writer, writeFailure } from './hdf5-writer.ts'

/** An array that becomes a dataset of a file. */
export interface NewDataset {
  /** The path in the file, `/` between names. */
  readonly inner: string
  /** Its chunks are those of the dataset. Chunks of zeros are not stored. */
  readonly array: ChunkedArray
  /** Of gzip, 0 to 9; not compressed if it is undefined. */
  readonly level: number | undefined
  /** Numbers, texts and lists of them; anything else becomes a text in JSON. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The element types that the library writes. */
export const WRITTEN_DTYPES: readonly DType[] = [
  ...(['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'int64', 'float32', 'float64'] as const),
]

/** How many bytes of chunks are read at once. */
const BATCH_BYTES = 16 * 2 ** 20
/** The header of an object has 64 kB at most: a longer list becomes a text, which is stored elsewhere. */
const MOST_VALUES = 1000

/**
 * Writes arrays to a new HDF5 file, one after the other: in memory for some chunks, whatever their size. The file is on the disk when this
 * returns.
 * @param path replaced if it exists
 * @throws InfrastructureError `DISK_FULL`, `IO_ERROR`; what reading the arrays throws
 */
export async function writeArrays(path: string, datasets: readonly NewDataset[]): Promise<void> {
  try {
    const writer = await Hdf5Writer.create(path)
    try {
      const groups = new Set<string>()
      for (const dataset of datasets) {
        createGroups(writer, dataset.inner, groups)
        await writeDataset(writer, dataset)
      }
      writer.close()
    } catch (error) {
      writer.abandon()
      throw error
    }
    await using file = await open(path, 'r+')
    await file.sync()
  } catch (error) {
    throw writeFailure(path, error)
  }
}

/** @param known those that are there */
function createGroups(writer: Hdf5Writer, inner: string, known: Set<string>): void {
  const names = inner.split('/')
  for (const depth of names.slice(1).keys()) {
    const group = names.slice(0, depth + 1).join('/')
    if (!known.has(group)) writer.createGroup(group)
    known.add(group)
  }
}

async function writeDataset(writer: Hdf5Writer, { inner, array, level, attributes }: NewDataset): Promise<void> {
  const { dtype, shape, chunkShape } = array
  const type = dtype.startsWith('float') ? HDF5_CLASS.float : HDF5_CLASS.integer
  const element = { type, size: BYTES_PER_ELEMENT[dtype], signed: !dtype.startsWith('uint'), vlen: false }
  writer.createVolume({ path: inner, element, size: shape, chunk: chunkShape, level })
  for (const [name, value] of Object.entries(attributes)) writer.writeAttribute(inner, name, asAttribute(value))
  const atOnce = Math.max(1, Math.floor(BATCH_BYTES / (productOf(chunkShape) * element.size)))
  for (const boxes of batches(chunkBoxes(shape, chunkShape), atOnce)) {
    const read = boxes.map(async (box) => {
      const voxels = typedArray(dtype, productOf(box.shape))
      await array.readVoxels(box, voxels)
      return bytesOf(voxels)
    })
    for (const [i, bytes] of (await Promise.all(read)).entries()) {
      const { offset, shape } = boxes[i] as Roi<'voxel'>
      if (bytes.some((byte) => byte !== 0)) writer.writeBox(inner, offset, shape, bytes)
    }
  }
}

/** The voxels of each chunk that are in the array. */
function* chunkBoxes(shape: readonly number[], chunkShape: readonly number[]): Generator<Roi<'voxel'>> {
  const whole = roi<'voxel'>(
    shape.map(() => 0),
    shape,
  )
  const one = shape.map(() => 1)
  for (const index of indicesOf(chunksMeeting(whole, chunkShape))) {
    yield intersectRoi(voxelsOfChunks(roi<'block'>(index, one), chunkShape), whole)
  }
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function asAttribute(value: unknown): number | readonly number[] | string | readonly string[] {
  const isNumber = (item: unknown): item is number => typeof item === 'number'
  // HDF5's texts end at a NUL character.
  const isText = (item: unknown): item is string => typeof item === 'string' && !item.includes('\0')
  if (isNumber(value) || isText(value)) return value
  const isShort = Array.isArray(value) && value.length > 0 && value.length <= MOST_VALUES
  if (isShort && (value.every(isNumber) || value.every(isText))) return value
  return JSON.stringify(value)
}
