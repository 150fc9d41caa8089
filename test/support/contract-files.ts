import { join } from 'node:path'
import type { TestContext } from 'node:test'
import h5wasm from 'h5wasm/node'
import { BYTES_PER_ELEMENT, bytesOf, type DType, type TypedArray } from '../../src/core/array/dtype.ts'
import type { WantedArray } from '../contracts/chunked-array.contract.ts'
import { tiffBytes } from './tiff-files.ts'
import { temporaryFolder } from './zarr.ts'

/** The codes of Python's `struct`. */
const CODES: Partial<Record<DType, string>> = {
  ...{ int8: '<b', int16: '<h', int32: '<i', int64: '<q', uint8: '<B', uint16: '<H', uint32: '<I', uint64: '<Q' },
  ...{ float32: '<f', float64: '<d' },
}

/** The element types of files that {@link hdf5FileOf} writes. */
export const HDF5_DTYPES = Object.keys(CODES) as DType[]

/** How a dataset is stored: in chunks with a filter, in chunks without, or in one piece. */
type Hdf5Storage = 'gzip' | 'chunks' | 'one piece'

/** An HDF5 file with one dataset, `raw`. @returns its path */
export async function hdf5FileOf(
  t: TestContext,
  wanted: WantedArray,
  voxels: TypedArray,
  storage: Hdf5Storage,
): Promise<string> {
  const path = join(await temporaryFolder(t), 'a.h5')
  await writeHdf5(path, wanted, voxels, storage)
  return path
}

/** Writes an HDF5 file with one dataset, `raw`. */
export async function writeHdf5(
  path: string,
  { shape, dtype, chunkShape }: WantedArray,
  voxels: TypedArray,
  storage: Hdf5Storage,
): Promise<void> {
  await h5wasm.ready
  const file = new h5wasm.File(path, 'w')
  file.create_dataset({
    ...{ name: 'raw', data: voxels as Uint8Array, shape: [...shape], dtype: CODES[dtype] as string },
    ...(storage === 'one piece' ? {} : { chunks: [...chunkShape] }),
    ...(storage === 'gzip' ? { compression: 'gzip' } : {}),
  })
  file.close()
}

/** A TIFF file with an image for each plane of three axes. */
export function tiffFileOf({ shape, dtype }: WantedArray, voxels: TypedArray): Buffer {
  const [depth, height, width] = shape as [number, number, number]
  const size = BYTES_PER_ELEMENT[dtype]
  const bytes = bytesOf(voxels)
  const format = dtype.startsWith('u') ? 1 : dtype.startsWith('i') ? 2 : 3
  const planes = Array.from({ length: depth }, (_, z) => ({
    fields: { 256: width, 257: height, 258: 8 * size, 278: height, 339: format },
    data: bytes.slice(z * height * width * size, (z + 1) * height * width * size),
  }))
  return tiffBytes(planes)
}
