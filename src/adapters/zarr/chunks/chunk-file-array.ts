import { isDeepStrictEqual } from 'node:util'
import { assertVoxels } from '../../../core/array/assert-voxels.ts'
import { fillBox, offsetOf } from '../../../core/array/box-copy.ts'
import {
  BYTES_PER_ELEMENT,
  bytesOf,
  type DType,
  type Scalar,
  type TypedArray,
  typedArray,
} from '../../../core/array/dtype.ts'
import { rowMajorStrides } from '../../../core/array/strides.ts'
import { ConfigError } from '../../../core/errors.ts'
import {
  assertSameRank,
  type Coordinate,
  countElements,
  equalCoordinates,
  showCoordinate,
} from '../../../core/geometry/coordinate.ts'
import {
  containsRoi,
  intersectRoi,
  isEmptyRoi,
  type Roi,
  roi,
  shiftRoi,
  showSlice,
} from '../../../core/geometry/roi.ts'
import type { ArrayAxis, ArrayDescription, ChunkedArray, TransferOptions } from '../../../ports/chunked-array.ts'
import type { MetadataFiles } from '../metadata/array-identity.ts'
import { joinKey, type Store } from '../store.ts'
import type { ChunkAccess } from './chunk-access.ts'
import type { ChunkEncoding } from './chunk-encoding.ts'
import { type AxisChunks, type ChunkPart, chunkAt, chunkParts, chunkStart, gridShape } from './chunk-grid.ts'
import type { ChunkNames } from './chunk-names.ts'
import { forEachInFlight } from './in-flight.ts'
import { MissingArray, MissingChunks } from './missing-chunks.ts'

/** Where the chunks of an array lie, and how they are read and written. */
export interface ChunkLayout {
  /** What files have along each axis: the chunks, or the shards. */
  readonly storedShape: readonly AxisChunks[]
  /** The bytes of the fill value. */
  readonly fill: Uint8Array
  /** How each chunk is encoded, if files are chunks that could be those of another array. */
  readonly encoding?: ChunkEncoding
  readonly names: ChunkNames
  readonly metadata: MetadataFiles
  /** Whether the files that are there tell which chunks are. @default true */
  readonly isListed?: boolean
  /** @param store in which chunks that are missing are counted */
  readonly access: (store: Store) => ChunkAccess
  /** Sets attributes of the array. */
  readonly setAttributes: (attributes: Readonly<Record<string, unknown>>) => Promise<void>
}

/** An array whose chunks, or shards, are files of a store. */
export class ChunkFileArray implements ChunkedArray {
  readonly path: string
  readonly format: ArrayDescription['format']
  readonly shape: Coordinate<'voxel'>
  readonly dtype: DType
  readonly chunkShape: Coordinate<'voxel'>
  readonly shardShape?: Coordinate<'voxel'>
  readonly chunksVary?: true
  readonly order: 'C' | 'F'
  readonly codecs: readonly string[]
  readonly fillValue: Scalar
  readonly axes: readonly ArrayAxis[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[]
  readonly writable: boolean
  readonly countStoredChunks?: NonNullable<ChunkedArray['countStoredChunks']>
  readonly #layout: ChunkLayout
  readonly #store: Store
  readonly #access: ChunkAccess
  readonly #missing: MissingChunks | undefined
  readonly #missingArray: MissingArray | undefined

  constructor(store: Store, layout: ChunkLayout, description: ArrayDescription, writable: boolean) {
    this.path = description.path
    this.format = description.format
    this.shape = description.shape
    this.dtype = description.dtype
    this.chunkShape = description.chunkShape
    if (description.shardShape !== undefined) this.shardShape = description.shardShape
    if (description.chunksVary) this.chunksVary = true
    this.order = description.order
    this.codecs = description.codecs
    this.fillValue = description.fillValue
    this.axes = description.axes
    this.attributes = description.attributes
    this.warnings = description.warnings ?? []
    this.writable = writable
    this.#layout = layout
    this.#store = store
    // What is written belongs to its run by the mark, and may be marked after it was opened.
    const { metadata } = layout
    const read = writable ? { ...metadata, opened: { ...metadata.opened, record: undefined } } : metadata
    this.#missing = store.writable ? undefined : new MissingChunks(store, read)
    this.#missingArray = store.writable ? new MissingArray(store, read) : undefined
    this.#access = layout.access(this.#missing?.store ?? this.#missingArray?.store ?? store)
    if (layout.isListed ?? true) this.countStoredChunks = (options) => this.#countStored(options)
  }

  async readVoxels(box: Roi<'voxel'>, into: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#check(box, into)
    if (isEmptyRoi(box)) return
    const size = BYTES_PER_ELEMENT[this.dtype]
    const target = { bytes: bytesOf(into), start: 0, strides: rowMajorStrides(box.shape, size) }
    const whole = wholeOf(this)
    const inside = intersectRoi(box, whole)
    if (!containsRoi(whole, box)) fillBox(box.shape, this.#layout.fill, target)
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
    if (missing === undefined) return this.#whileThere(() => this.#forEachPart(inside, signal, read))
    const lost: ChunkPart[] = []
    try {
      await this.#forEachPart(inside, signal, async (part) => {
        if (await missing.watch(() => read(part))) lost.push(part)
      })
      await missing.confirm(signal)
      await forEachInFlight(lost, this.#access.limit, signal, read)
    } catch (error) {
      throw await missing.explained(error)
    }
    await missing.confirm(signal)
  }

  async writeVoxels(box: Roi<'voxel'>, data: TypedArray, { signal }: TransferOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    this.#assertWritable('write')
    this.#check(box, data)
    const whole = wholeOf(this)
    if (!containsRoi(whole, box)) {
      throw new ConfigError(
        'OUTSIDE_ARRAY',
        `${this.path}: the voxels ${showSlice(box)} to write are not inside the array of shape ${showCoordinate(this.shape)}; cut them to the array.`,
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

  async copyChunks(
    box: Roi<'voxel'>,
    from: ChunkedArray,
    shift: readonly number[],
    options: TransferOptions = {},
  ): Promise<boolean> {
    if (!(from instanceof ChunkFileArray) || !this.#liesOn(from, box, shift)) return false
    const { signal } = options
    signal?.throwIfAborted()
    const { encoding } = this.#layout
    const chunkShape = encoding?.shape ?? []
    const isSame = isDeepStrictEqual(encoding, from.#layout.encoding)
    const copy = async (part: ChunkPart) => {
      if (!equalCoordinates(part.shape, chunkShape)) {
        const own = shiftRoi(roi<'voxel'>(part.inBox, part.shape), box.offset)
        const data = typedArray(this.dtype, Number(countElements(part.shape)))
        await from.readVoxels(shiftRoi(own, shift), data, options)
        return this.writeVoxels(own, data, options)
      }
      const index = part.index.map((at, axis) => at + (shift[axis] as number) / (chunkShape[axis] as number))
      const chunk = { index, access: from.#access, fill: from.#layout.fill }
      await this.#access.copy?.(part.index, chunk, isSame, signal)
    }
    await from.#whileThere(() => this.#forEachPart(box, signal, copy))
    return true
  }

  #whileThere(read: () => Promise<void>): Promise<void> {
    return this.#missingArray === undefined ? read() : this.#missingArray.during(read)
  }

  /** Whether each chunk of a box is a chunk of another array, if it is complete. */
  #liesOn(from: ChunkFileArray, box: Roi<'voxel'>, shift: readonly number[]): boolean {
    const [own, theirs] = [this.#layout.encoding, from.#layout.encoding]
    if (own === undefined || theirs === undefined || !this.writable || isEmptyRoi(box)) return false
    const isWithin = (array: ChunkFileArray, part: Roi<'voxel'>) => containsRoi(wholeOf(array), part)
    return (
      this.#access.copy !== undefined &&
      from.#access.lend !== undefined &&
      // What is missing over http is asked for again.
      from.#missing === undefined &&
      own.dtype === theirs.dtype &&
      equalCoordinates(own.shape, theirs.shape) &&
      equalCoordinates(own.axisOrder, theirs.axisOrder) &&
      shift.every((by, axis) => by % (own.shape[axis] as number) === 0) &&
      isWithin(this, box) &&
      isWithin(from, shiftRoi(box, shift))
    )
  }

  async removeChunks(box: Roi<'voxel'>): Promise<void> {
    this.#assertWritable('remove chunks')
    assertSameRank(box.offset, this.shape, `offset of the box and shape of ${this.path}`)
    const whole = wholeOf(this)
    if (containsRoi(box, whole)) return this.#removeAll()
    const inside = intersectRoi(box, whole)
    const parts = chunkParts(inside.offset, inside.shape, this.#layout.storedShape)
    await forEachInFlight(parts, this.#access.limit, undefined, async (part) => {
      if (this.#covers(part)) await this.#store.remove(this.#layout.names.keyOf(part.index))
    })
  }

  async setAttributes(attributes: Readonly<Record<string, unknown>>): Promise<void> {
    this.#assertWritable('set its attributes')
    await this.#layout.setAttributes(attributes)
  }

  /** @param action for the message: what would need it */
  #assertWritable(action: string): void {
    if (this.writable) return
    throw new ConfigError('READ_ONLY', `${this.path} was opened for reading; open it with mode 'r+' to ${action}.`)
  }

  /** Removes all chunks: their folders, or everything with the name of a chunk. */
  async #removeAll(): Promise<void> {
    const { folder, matches } = this.#layout.names
    for (const { name } of (await this.#store.list(folder)) ?? []) {
      if (matches([name])) await this.#store.remove(joinKey(folder, name))
    }
  }

  /** Counts files by their names, in one pass over the folders of the array. */
  async #countStored({ limit = Number.POSITIVE_INFINITY } = {}): Promise<{
    readonly stored: number
    readonly total: number
  }> {
    const total = Number(countElements(gridShape(this.shape, this.#layout.storedShape)))
    return { stored: await this.#count([], limit), total }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Chunks below a folder. @param above its name below that of all chunks */
  async #count(above: readonly string[], limit: number): Promise<number> {
    const { folder, depth, matches } = this.#layout.names
    let count = 0
    for (const { name, isFolder } of (await this.#store.list(joinKey(folder, ...above))) ?? []) {
      if (count >= limit) break
      const names = [...above, name]
      if (!matches(names)) continue
      if (names.length === depth) count += isFolder ? 0 : 1
      else if (isFolder) count += await this.#count(names, limit - count)
    }
    return count
  }

  async #forEachPart(box: Roi<'voxel'>, signal: AbortSignal | undefined, work: (part: ChunkPart) => Promise<void>) {
    const parts = chunkParts(box.offset, box.shape, this.#layout.storedShape)
    await forEachInFlight(parts, this.#access.limit, signal, work)
  }

  /** Whether a box consists of whole chunks (or shards). */
  #isAligned({ offset, shape }: Roi<'voxel'>): boolean {
    return this.#layout.storedShape.every((along, axis) => {
      const start = offset[axis] as number
      const end = start + (shape[axis] as number)
      const isEdge = (position: number) => chunkStart(along, chunkAt(along, position)) === position
      return isEdge(start) && (end === this.shape[axis] || isEdge(end))
    })
  }

  /** Whether a part covers all of its chunk that is inside the array. */
  #covers(part: ChunkPart): boolean {
    const stored = this.#layout.storedShape
    return part.shape.every((length, axis) => {
      const [along, index] = [stored[axis] as AxisChunks, part.index[axis] as number]
      const start = chunkStart(along, index)
      const end = Math.min(chunkStart(along, index + 1), this.shape[axis] as number)
      return part.inChunk[axis] === 0 && length === end - start
    })
  }

  #check(box: Roi<'voxel'>, data: TypedArray): void {
    assertSameRank(box.offset, this.shape, `offset of the box and shape of ${this.path}`)
    assertSameRank(box.shape, this.shape, `shape of the box and shape of ${this.path}`)
    assertVoxels(this.path, this.dtype, box.shape, data)
  }
}

const wholeOf = ({ shape }: ArrayDescription): Roi<'voxel'> => ({ offset: shape.map(() => 0), shape })
