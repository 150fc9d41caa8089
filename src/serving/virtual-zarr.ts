import { hash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import { BYTES_PER_ELEMENT, bytesOf, type DType, isBigDType, type TypedArray, typedArray } from '../core/array/dtype.ts'
import type { LayerKind } from '../core/view/view.ts'
import type { ChunkedArray } from '../ports/chunked-array.ts'
import type { Resource, ResourceTree } from '../ports/resource.ts'
import { LargeChunks } from './large-chunks.ts'
import type { ServedMemory } from './served-memory.ts'

/** The dtypes that Neuroglancer draws. */
const DRAWABLE_DTYPES = [
  ...['uint8', 'int8', 'uint16', 'int16', 'uint32', 'int32', 'uint64', 'float32'],
] as readonly DType[]

const LARGEST_CHUNK_BYTES = 2 ** 21
const SMALLEST_CHUNK_BYTES = 2 ** 16

const compress = promisify(zstdCompress)
const FAST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** Bytes in memory, with a version that changes with them. */
export function memoryResource(bytes: Uint8Array, contentType = 'application/octet-stream'): Resource {
  return {
    contentType,
    size: bytes.length,
    version: hash('sha1', bytes, 'base64url'),
    async *read(start, end) {
      if (start < end) yield bytes.subarray(start, end)
    },
    async [Symbol.asyncDispose]() {},
  }
}

export const jsonResource = (value: unknown): Resource =>
  memoryResource(new TextEncoder().encode(JSON.stringify(value)), 'application/json')

/** The dtype in which an array is served. Labels keep their bits; other values are rounded to float32 if necessary. */
export function servedDType(dtype: DType, kind: LayerKind): DType {
  if (DRAWABLE_DTYPES.includes(dtype)) return dtype
  if (dtype === 'bool') return 'uint8'
  return dtype === 'int64' && kind === 'segmentation' ? 'uint64' : 'float32'
}

/** Serves any array as a Zarr 3 array; chunks are created on request. */
export function virtualZarr(array: ChunkedArray, dtype: DType, memory: ServedMemory): ResourceTree {
  const chunkShape = servedChunkShape(array, BYTES_PER_ELEMENT[dtype])
  const length = product(chunkShape)
  const large = length < product(array.chunkShape) ? new LargeChunks(array, memory.chunks, memory.keepMs) : undefined
  const metadata = jsonResource({
    zarr_format: 3,
    node_type: 'array',
    shape: array.shape,
    data_type: dtype,
    chunk_grid: { name: 'regular', configuration: { chunk_shape: chunkShape } },
    chunk_key_encoding: { name: 'default', configuration: { separator: '/' } },
    fill_value: 0,
    codecs: [
      { name: 'bytes', configuration: { endian: 'little' } },
      { name: 'zstd', configuration: { level: 1, checksum: false } },
    ],
    attributes: {},
  })
  return {
    async open(names, options = {}) {
      if (names.length === 1 && names[0] === 'zarr.json') return metadata
      const index = parseChunkKey(names, array.shape, chunkShape)
      if (index === undefined) return undefined
      const { signal } = options
      // The voxels, the same in the served dtype, and compressed.
      const bytes = length * (BYTES_PER_ELEMENT[array.dtype] + 2 * BYTES_PER_ELEMENT[dtype])
      using _ = await memory.answers.take(bytes, signal)
      const values = typedArray(array.dtype, length)
      const box = { offset: index.map((position, axis) => position * (chunkShape[axis] as number)), shape: chunkShape }
      if (large === undefined) await array.readVoxels(box, values, options)
      else await large.read(box, values, signal)
      return memoryResource(await compress(bytesOf(converted(values, array.dtype, dtype)), FAST))
    },
  }
}

const product = (shape: readonly number[]): number => shape.reduce((all, length) => all * length, 1)

/** The stored chunk shape, halved while it is too large for one response and doubled while it is too small. */
export function servedChunkShape(array: Pick<ChunkedArray, 'shape' | 'chunkShape'>, bytesPerElement: number): number[] {
  const shape = array.chunkShape.map((length, axis) => Math.max(1, Math.min(length, array.shape[axis] as number)))
  const bytes = () => product(shape) * bytesPerElement
  while (bytes() > LARGEST_CHUNK_BYTES) {
    const axis = shape.indexOf(Math.max(...shape))
    shape[axis] = Math.ceil((shape[axis] as number) / 2)
  }
  while (bytes() < SMALLEST_CHUNK_BYTES) {
    const growable = shape.map((length, axis) => (length < (array.shape[axis] as number) ? length : Infinity))
    const axis = growable.lastIndexOf(Math.min(...growable))
    if (growable[axis] === Infinity) break
    shape[axis] = Math.min(2 * (shape[axis] as number), array.shape[axis] as number)
  }
  return shape
}

/** Parses `c/0/1/2`. @returns undefined unless it is a chunk of this array */
function parseChunkKey(names: readonly string[], shape: readonly number[], chunkShape: readonly number[]) {
  const [prefix, ...rest] = names
  if (prefix !== 'c' || rest.length !== shape.length || !rest.every((name) => /^(0|[1-9]\d{0,14})$/.test(name))) return
  const index = rest.map(Number)
  const isInside = index.every((i, axis) => i * (chunkShape[axis] as number) < (shape[axis] as number))
  return isInside ? index : undefined
}

function converted(values: TypedArray, from: DType, to: DType): TypedArray {
  if (from === to || (from === 'bool' && to === 'uint8')) return values
  if (to === 'uint64') return new BigUint64Array(values.buffer, values.byteOffset, values.length)
  if (isBigDType(from)) return Float32Array.from(values as BigInt64Array, Number)
  return new Float32Array(values as Float64Array)
}
