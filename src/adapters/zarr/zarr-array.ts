import { assertVoxels } from '../../core/array/assert-voxels.ts'
import { fillBox, offsetOf } from '../../core/array/box-copy.ts'
import { BYTES_PER_ELEMENT, bytesOf, type DType, type Scalar, type TypedArray } from '../../core/array/dtype.ts'
import { rowMajorStrides } from '../../core/array/strides.ts'
import { ConfigError } from '../../core/errors.ts'
import { assertSameRank, type Coordinate, countElements, showCoordinate } from '../../core/geometry/coordinate.ts'
import { containsRoi, intersectRoi, isEmptyRoi, type Roi, showRoi } from '../../core/geometry/roi.ts'
import type { ArrayAxis, ArrayDescription, ChunkedArray, TransferOptions } from '../../ports/chunked-array.ts'
import type { ChunkAccess } from './chunks/chunk-access.ts'
import { makeChunkCodec } from './chunks/chunk-codec.ts'
import { type ChunkPart, chunkParts, gridShape } from './chunks/chunk-grid.ts'
import { forEachInFlight } from './chunks/in-flight.ts'
import { MissingChunks } from './chunks/missing-chunks.ts'
import { plainChunks } from './chunks/plain-chunks.ts'
import { ShardedChunks } from './chunks/sharded-chunks.ts'
import type { JsonObject } from './metadata/exact-json.ts'
import { chunkKey, storedShape, type ZarrMetadata } from './metadata/metadata.ts'
import { setAttributes } from './set-attributes.ts'
import { joinKey, type Store } from './store.ts'

/** A Zarr array, version 2 or 3. */
export class ZarrArray implements ChunkedArray {
  readonly path: string
  readonly format: 'zarr2' | 'zarr3'
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly shardShape?: Coordinate<'voxel'>
  readonly order: 'C' | 'F'
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  readonly writable: boolean
  readonly #metadata: ZarrMetadata
  readonly #store: Store
  readonly #key: string
  readonly #access: ChunkAccess
  readonly #missing: MissingChunks | undefined

  /** @param key of the array's folder in the store */
  constructor(
    store: Store,
    key: string,
    metadata: ZarrMetadata,
    description: ArrayDescription,
    { writable, writesEmpty }: { readonly writable: boolean; readonly writesEmpty: boolean },
  ) {
    this.path = description.path
    this.format = metadata.zarrFormat === 2 ? 'zarr2' : 'zarr3'
    this.shape = description.shape
    this.dtype = description.dtype
    this.chunkShape = description.chunkShape
    if (description.shardShape !== undefined) this.shardShape = description.shardShape
    this.order = description.order
    this.codecs = description.codecs
    this.fillValue = description.fillValue
    this.axes = description.axes
    this.attributes = description.attributes
    this.warnings = description.warnings ?? []
    this.writable = writable
    this.#metadata = metadata
    this.#store = store
    this.#key = key
    const metadataKey = joinKey(key, metadata.zarrFormat === 2 ? '.zarray' : 'zarr.json')
    this.#missing = store.writable ? undefined : new MissingChunks(store, metadataKey)
    const chunks = this.#missing?.store ?? store
    const keyOf = (index: readonly number[]) => joinKey(key, chunkKey(metadata, index))
    const codec = makeChunkCodec(metadata.chunk)
    this.#access =
      metadata.shard === undefined
        ? plainChunks(chunks, keyOf, codec, metadata.fill.bytes, writesEmpty)
        : new ShardedChunks(chunks, keyOf, codec, metadata.shard, metadata.fill.bytes, {
            shape: metadata.shape,
            writesEmpty,
          })
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#check(box, into)
    if (isEmptyRoi(box)) return
    const size = BYTES_PER_ELEMENT[this.dtype]
    const target = { bytes: bytesOf(into), start: 0, strides: rowMajorStrides(box.shape, size) }
    const whole: Roi<'voxel'> = { offset: this.shape.map(() => 0), shape: this.shape }
    const inside = intersectRoi(box, whole)
    if (!containsRoi(whole, box)) fillBox(box.shape, this.#metadata.fill.bytes, target)
    const base = offsetOf(
      inside.offset.map((position, axis) => position - (box.offset[axis] as number)),
      target.strides,
    )
    // Whoever reads parts of chunks will want the other parts, too.
    const keep = !this.#isAligned(inside)
    await this.#readParts(inside, signal, (part) => {
      const start = base + offsetOf(part.inBox, target.strides)
      return this.#access.read(part, { ...target, start }, keep, signal)
    })
  }

  /** Reads the parts of a box; those that are missing over http a second time, after the array was found to be there. */
  async #readParts(
    inside: Roi<'voxel'>,
    signal: AbortSignal | undefined,
    read: (part: ChunkPart) => Promise<void>,
  ): Promise<void> {
    const missing = this.#missing
    if (missing === undefined) return this.#forEachPart(inside, signal, read)
    const lost: ChunkPart[] = []
    await this.#forEachPart(inside, signal, async (part) => {
      if (await missing.watch(() => read(part))) lost.push(part)
    })
    await missing.confirm(signal)
    await forEachInFlight(lost, this.#access.limit, signal, read)
    await missing.confirm(signal)
  }

  async writeVoxels(box: Roi<'voxel'>, data: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if (!this.writable) {
      throw new ConfigError('READ_ONLY', `${this.path} was opened for reading; open it with mode 'r+' to write.`)
    }
    this.#check(box, data)
    const whole: Roi<'voxel'> = { offset: this.shape.map(() => 0), shape: this.shape }
    if (!containsRoi(whole, box)) {
      throw new ConfigError(
        'OUTSIDE_ARRAY',
        `${this.path}: the box ${showRoi(box)} to write is not inside the array of shape ${showCoordinate(this.shape)}; cut it to the array.`,
      )
    }
    if (isEmptyRoi(box)) return
    const source = {
      bytes: bytesOf(data),
      start: 0,
      strides: rowMajorStrides(box.shape, BYTES_PER_ELEMENT[this.dtype]),
    }
    await this.#forEachPart(box, signal, (part) => {
      const start = offsetOf(part.inBox, source.strides)
      return this.#access.write(part, { ...source, start }, this.#covers(part))
    })
  }

  async removeChunks(box: Roi<'voxel'>): Promise<void> {
    if (!this.writable) {
      throw new ConfigError(
        'READ_ONLY',
        `${this.path} was opened for reading; open it with mode 'r+' to remove chunks.`,
      )
    }
    assertSameRank(box.offset, this.shape, `offset of the box and shape of ${this.path}`)
    const whole: Roi<'voxel'> = { offset: this.shape.map(() => 0), shape: this.shape }
    if (containsRoi(box, whole)) return this.#removeAll()
    const inside = intersectRoi(box, whole)
    const parts = chunkParts(inside.offset, inside.shape, storedShape(this.#metadata))
    await forEachInFlight(parts, this.#access.limit, undefined, async (part) => {
      if (this.#covers(part)) await this.#store.remove(joinKey(this.#key, chunkKey(this.#metadata, part.index)))
    })
  }

  async setAttributes(attributes: Readonly<Record<string, unknown>>): Promise<void> {
    if (!this.writable) {
      throw new ConfigError(
        'READ_ONLY',
        `${this.path} was opened for reading; open it with mode 'r+' to set its attributes.`,
      )
    }
    await setAttributes(this.#store, this.#key, this.#metadata.zarrFormat, attributes as JsonObject)
  }

  /** Removes all chunks: their common folder, or everything with the name of a chunk. */
  async #removeAll(): Promise<void> {
    const grid = gridShape(this.shape, storedShape(this.#metadata))
    const { keyPrefix, separator } = this.#metadata
    const isFolder = keyPrefix === 'c' && (separator === '/' || grid.length === 0)
    const here = separator === '/' ? grid.slice(0, 1) : grid
    const prefix = keyPrefix === 'c' ? `c${separator}` : ''
    for (const { name } of (await this.#store.list(this.#key)) ?? []) {
      const isChunk = isFolder
        ? name === 'c'
        : name.startsWith(prefix) && matches(name.slice(prefix.length), grid.length === 0 ? [1] : here)
      if (isChunk) await this.#store.remove(joinKey(this.#key, name))
    }
  }

  /** Counts files by their names, in one pass over the folders of the array. */
  async countStoredChunks({ limit = Number.POSITIVE_INFINITY } = {}): Promise<{
    readonly stored: number
    readonly total: number
  }> {
    const grid = gridShape(this.shape, storedShape(this.#metadata))
    const total = Number(countElements(grid))
    const { keyPrefix, separator } = this.#metadata
    if (keyPrefix === 'c' && (separator === '/' || grid.length === 0)) {
      const folder = grid.length === 0 ? this.#key : joinKey(this.#key, 'c')
      return { stored: await this.#count(folder, grid.length === 0 ? ['c'] : grid, separator, limit), total }
    }
    return { stored: await this.#count(this.#key, grid.length === 0 ? [1] : grid, separator, limit), total }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Files below a folder whose names are indices inside `grid`; `['c']` counts the one file of that name. */
  async #count(folder: string, grid: readonly (number | 'c')[], separator: '.' | '/', limit: number): Promise<number> {
    const entries = (await this.#store.list(folder)) ?? []
    const here = separator === '/' ? grid.slice(0, 1) : grid
    const below = separator === '/' ? grid.slice(1) : []
    const prefix = this.#metadata.keyPrefix === 'c' && separator === '.' ? `c${separator}` : ''
    let count = 0
    for (const { name, isFolder } of entries) {
      if (count >= limit) break
      if (!name.startsWith(prefix) || !matches(name.slice(prefix.length), here)) continue
      if (below.length === 0) count += isFolder ? 0 : 1
      else if (isFolder) count += await this.#count(joinKey(folder, name), below, separator, limit - count)
    }
    return count
  }

  async #forEachPart(box: Roi<'voxel'>, signal: AbortSignal | undefined, work: (part: ChunkPart) => Promise<void>) {
    const parts = chunkParts(box.offset, box.shape, storedShape(this.#metadata))
    await forEachInFlight(parts, this.#access.limit, signal, work)
  }

  /** Whether a box consists of whole chunks (or shards). */
  #isAligned({ offset, shape }: Roi<'voxel'>): boolean {
    return storedShape(this.#metadata).every((length, axis) => {
      const start = offset[axis] as number
      const end = start + (shape[axis] as number)
      return start % length === 0 && (end % length === 0 || end === this.shape[axis])
    })
  }

  /** Whether a part covers all of its chunk that is inside the array. */
  #covers(part: ChunkPart): boolean {
    const stored = storedShape(this.#metadata)
    return part.shape.every((length, axis) => {
      const start = (part.index[axis] as number) * (stored[axis] as number)
      const end = Math.min(start + (stored[axis] as number), this.shape[axis] as number)
      return part.inChunk[axis] === 0 && length === end - start
    })
  }

  #check(box: Roi<'voxel'>, data: TypedArray): void {
    assertSameRank(box.offset, this.shape, `offset of the box and shape of ${this.path}`)
    assertSameRank(box.shape, this.shape, `shape of the box and shape of ${this.path}`)
    assertVoxels(this.path, this.dtype, box.shape, data)
  }
}

/** Whether a chunk's name without its prefix is an index inside the grid. */
function matches(name: string, grid: readonly (number | 'c')[]): boolean {
  if (grid[0] === 'c') return name === 'c'
  const parts = name.split('.')
  return (
    parts.length === grid.length &&
    parts.every((part, axis) => /^(0|[1-9]\d*)$/.test(part) && Number(part) < (grid[axis] as number))
  )
}
