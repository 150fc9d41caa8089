import type { ByteFile } from '../../../ports/byte-file.ts'
import { DamagedHeader, findMessage, type HeaderMessage, MESSAGE, type Superblock, unsigned } from '../object-header.ts'

/** How the places of a dataset's chunks are stored. All kinds are those of filtered chunks. */
export type IndexKind =
  | { readonly kind: 'btree-1' }
  | { readonly kind: 'single'; readonly size: number; readonly filterMask: number }
  | { readonly kind: 'fixed-array'; readonly pageBits: number }
  | { readonly kind: 'extensible-array' }
  | { readonly kind: 'btree-2' }

/** What a dataset's header says about its chunks. */
export interface ChunkLayout {
  /** Elements along each axis of the dataset. */
  readonly chunkShape: readonly number[]
  readonly elementBytes: number
  readonly index: IndexKind
  /** Of the index, relative to the base; undefined if no chunk was ever written. */
  readonly address: number | undefined
  /** Chunks along each axis if the dataset is as large as it can be; Infinity for an unlimited axis. */
  readonly mostChunks: readonly number[]
  /** Whether chunks that exceed the dataset are stored without filters. */
  readonly hasPlainEdges: boolean
}

const CHUNKED = 2
const PLAIN_EDGES = 1
const FILTERED_SINGLE = 2

/** An address in an index; all ones mean that there is nothing. */
export function addressAt(bytes: Buffer, at: number, size: number): number | undefined {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== 0xff) return unsigned(bytes, at, size)
  return undefined
}

/**
 * The layout of a dataset with filtered chunks.
 * @returns undefined for other layouts, and for those that are not known
 * @see File Format Specification IV.A.2.i, "Data Layout Message" @throws DamagedHeader
 */
export function chunkLayoutOf(
  file: ByteFile,
  block: Superblock,
  messages: readonly HeaderMessage[],
): ChunkLayout | undefined {
  const layout = findMessage(file, block, messages, MESSAGE.layout)?.data
  const space = findMessage(file, block, messages, MESSAGE.dataspace)?.data
  if (layout === undefined || space === undefined) return undefined
  const stored = layout[0]! <= 3 ? oldLayout(layout, block) : layout[0] === 4 ? newLayout(layout, block) : undefined
  if (stored === undefined) return undefined
  const { lengths, ...rest } = stored
  if (lengths.length < 2 || lengths.some((length) => !(length >= 1))) return undefined
  const chunkShape = lengths.slice(0, -1)
  const most = largestShape(space, block)
  if (most.length !== chunkShape.length) throw new DamagedHeader('chunks have other axes than their dataset')
  const mostChunks = most.map((length, axis) => Math.ceil(length / chunkShape[axis]!))
  return { ...rest, chunkShape, elementBytes: lengths.at(-1)!, mostChunks }
}

type Stored = Omit<ChunkLayout, 'chunkShape' | 'elementBytes' | 'mostChunks'> & {
  /** Of a chunk, and of an element. */
  readonly lengths: readonly number[]
}

/** Versions 1 to 3: always a B-tree. */
function oldLayout(layout: Buffer, { offsetSize }: Superblock): Stored | undefined {
  const isThree = layout[0] === 3
  if (layout[isThree ? 1 : 2] !== CHUNKED) return undefined
  const rank = layout[isThree ? 2 : 1]!
  const addressPlace = isThree ? 3 : 8
  const lengthsAt = addressPlace + offsetSize
  assertLength(layout, lengthsAt + 4 * rank)
  return {
    lengths: Array.from({ length: rank }, (_, axis) => layout.readUInt32LE(lengthsAt + 4 * axis)),
    index: { kind: 'btree-1' },
    address: addressAt(layout, addressPlace, offsetSize),
    hasPlainEdges: false,
  }
}

function newLayout(layout: Buffer, { offsetSize, lengthSize }: Superblock): Stored | undefined {
  if (layout[1] !== CHUNKED) return undefined
  assertLength(layout, 5)
  const [flags, rank, bytes] = [layout[2]!, layout[3]!, layout[4]!]
  const kindAt = 5 + rank * bytes
  assertLength(layout, kindAt + 1)
  const lengths = Array.from({ length: rank }, (_, axis) => unsigned(layout, 5 + axis * bytes, bytes))
  const at = kindAt + 1
  const [index, size] = indexKind(layout, at, { kind: layout[kindAt]!, flags, lengthSize }) ?? []
  if (index === undefined || size === undefined) return undefined
  assertLength(layout, at + size + offsetSize)
  const address = addressAt(layout, at + size, offsetSize)
  return { lengths, index, address, hasPlainEdges: (flags & PLAIN_EDGES) !== 0 }
}

/** @returns the kind of index, and the bytes that describe it */
function indexKind(
  layout: Buffer,
  at: number,
  { kind, flags, lengthSize }: { readonly kind: number; readonly flags: number; readonly lengthSize: number },
): [IndexKind, number] | undefined {
  switch (kind) {
    case 1: {
      if ((flags & FILTERED_SINGLE) === 0) return undefined
      const [size, filterMask] = [unsigned(layout, at, lengthSize), unsigned(layout, at + lengthSize, 4)]
      return [{ kind: 'single', size, filterMask }, lengthSize + 4]
    }
    case 3:
      return [{ kind: 'fixed-array', pageBits: layout[at] ?? 0 }, 1]
    case 4:
      return [{ kind: 'extensible-array' }, 5]
    case 5:
      return [{ kind: 'btree-2' }, 6]
    default:
      return undefined
  }
}

/** @see File Format Specification IV.A.2.b, "Dataspace Message" */
function largestShape(space: Buffer, { lengthSize }: Superblock): number[] {
  const [version, rank, flags] = [space[0]!, space[1]!, space[2]!]
  const at = (version === 1 ? 8 : 4) + ((flags & 1) === 0 ? 0 : rank * lengthSize)
  assertLength(space, at + rank * lengthSize)
  return Array.from(
    { length: rank },
    (_, axis) => addressAt(space, at + axis * lengthSize, lengthSize) ?? Number.POSITIVE_INFINITY,
  )
}

function assertLength(bytes: Buffer, length: number): void {
  if (bytes.length < length) throw new DamagedHeader(`a header ends after ${bytes.length} bytes, expected ${length}`)
}
